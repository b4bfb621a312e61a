// Goal: what others wrote into an input, an event, a table or a configuration does nothing but stand there, and secrets are
// shown to nobody (docs/security.md).
// Method: the real program, SQLite and a local stream.
#include "integration/program.hpp"

namespace write_aside::integration {
namespace {

class Hostile : public ProgramTest {};

TEST_F(Hostile, ValuesAreBoundAndNeverRun) {
  initialise();
  ASSERT_EQ(run({"apply", "--source", "s"}, unit(1, "'||x;--") + unit(2, "\\\"');--")).status, 0);
  EXPECT_EQ(query("shop.db", "select group_concat(state, ' ') from orders"), "'||x;-- \"');--");
}

TEST_F(Hostile, ColumnNamesAreQuoted) {
  initialise();
  const Arguments load{"load", "-", "--source", "s", "--table", "orders", "--topic", "orders", "--key", "id"};
  const Finished json = run(load, R"({"id":1,"state\") values (1,'x'); drop table orders; --":"new"})"
                                  "\n");
  EXPECT_EQ(json.status, 1) << json.err;
  const Finished csv = run(load, "id,\"state\"\") values (1,'x'); drop table orders; --\"\n1,new\n");
  EXPECT_NE(csv.status, 0) << csv.err;
  EXPECT_EQ(rows(), "0");
}

TEST_F(Hostile, TableNamesAreQuoted) {
  initialise();
  const Finished refused = run({"load", "-", "--source", "s", "--table",
                                "orders (id) values (1); drop table orders; --", "--topic", "orders", "--key", "id"},
                               "{\"id\":1}\n");
  EXPECT_NE(refused.status, 0);
  EXPECT_EQ(rows(), "0");
}

TEST_F(Hostile, AStatementIsOneStatement) {
  initialise();
  const Finished refused = run({"apply", "--source", "s"},
                               R"({"statements":[{"sql":"insert into orders values (1, 'new'); drop table orders"}]})"
                               "\n");
  EXPECT_EQ(refused.status, 1) << refused.err;
  EXPECT_NE(refused.err.find("more than one statement"), std::string::npos) << refused.err;
  EXPECT_EQ(rows(), "0");
}

TEST_F(Hostile, NestingWithoutEndIsRefused) {
  initialise();
  const Finished refused = run({"apply", "--source", "s"}, R"({"events":[{"topic":"orders","type":"t","value":)" +
                                                               std::string(1'000'000, '[') + "}]}\n");
  EXPECT_EQ(refused.status, 1) << refused.err;
  const std::string deep = std::string(900'000, '[') + std::string(900'000, ']');
  const Finished balanced =
      run({"apply", "--source", "s"}, R"({"events":[{"topic":"orders","type":"t","value":)" + deep + "}]}\n");
  EXPECT_EQ(balanced.status, 1) << balanced.err;
  EXPECT_EQ(events(), "0");
}

TEST_F(Hostile, EventsDoNotCommandTheTerminal) {
  initialise();
  ASSERT_EQ(run({"apply", "--source", "s"},
                R"({"events":[{"topic":"orders","key":"\u001b[2J\nk","type":"a\u009b2J","value":{}},)"
                R"({"topic":"orders","key":"k","type":"t\r","value_base64":"G1sySghcYg=="}]})"
                "\n")
                .status,
            0);
  const Finished shown = run({"tail", "orders"});
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_FALSE(commands_terminal(shown.out)) << shown.out;
  EXPECT_EQ(std::count(shown.out.begin(), shown.out.end(), '\n'), 2) << shown.out;
}

TEST_F(Hostile, MessagesDoNotCommandTheTerminal) {
  initialise();
  const Finished topic = run({"apply", "--source", "s"},
                             R"({"events":[{"topic":"x\u001b[2J\nwrite-aside: all is well","type":"t","value":1}]})"
                             "\n");
  EXPECT_EQ(topic.status, 1);
  EXPECT_FALSE(commands_terminal(topic.err)) << topic.err;
  EXPECT_EQ(std::count(topic.err.begin(), topic.err.end(), '\n'), 1) << topic.err;
  const Finished field = run({"apply", "--source", "s"}, "{\"x\\u001b[2J\":1}\n");
  EXPECT_FALSE(commands_terminal(field.err)) << field.err;
  const Finished name = run({"tail", "x\x1b[2J"});
  EXPECT_FALSE(commands_terminal(name.err)) << name.err;
}

TEST_F(Hostile, RowsOfOthersDoNotCommandTheTerminal) {
  initialise();
  ASSERT_EQ(query("shop.db",
                  "update write_aside_lane set owner = 'x', owner_process = char(27) || '[2J', halted = char(10, 27)"),
            "");
  for (const Arguments& command : {Arguments{"status"}, Arguments{"resolve"}}) {
    const Finished shown = run(command);
    EXPECT_EQ(shown.status, 3) << shown.err;
    EXPECT_FALSE(commands_terminal(shown.out)) << shown.out;
  }
}

TEST_F(Hostile, APayloadOfOthersIsNotPublished) {
  initialise();
  ASSERT_EQ(query("shop.db",
                  "insert into write_aside_journal (lane, epoch, n, member, tombstone, payload) "
                  "values (0, 1, 1, 1, 0, x'0102'); update write_aside_lane set epoch = 1 where lane = 0"),
            "");
  const Finished recovered = run({"recover", "--lane", "0", "--timeout", "1"});
  EXPECT_EQ(recovered.status, 3);
  EXPECT_NE(recovered.out.find("halted: unit 0.1.1.1: journal payload is too short"), std::string::npos)
      << recovered.out;
  EXPECT_EQ(events(), "0");
}

TEST_F(Hostile, APasswordOnTheCommandLineIsRefusedUnseen) {
  for (const Arguments& arguments :
       {Arguments{"status", "--database", "postgresql://me:sesame@127.0.0.1:1/shop"},
        Arguments{"status", "--database=postgresql://127.0.0.1:1/shop?user=me&password=sesame"},
        Arguments{"postgresql://me:sesame@127.0.0.1:1/shop"},
        Arguments{"apply", "--batch", "postgresql://me:sesame@127.0.0.1:1/shop"},
        Arguments{"apply", "--guarantee", "postgresql://me:sesame@127.0.0.1:1/shop"}}) {
    const Finished refused = run(arguments);
    EXPECT_EQ(refused.status, 2) << refused.err;
    EXPECT_NE(refused.err.find("WRITE_ASIDE_DATABASE"), std::string::npos) << refused.err;
    EXPECT_EQ(refused.err.find("sesame"), std::string::npos) << refused.err;
  }
  EXPECT_NE(run({"status", "--database", "postgresql://me@127.0.0.1:1/shop"}).err.find("127.0.0.1:1"),
            std::string::npos);
}

TEST_F(Hostile, ABrokenConfigurationIsNamedWithoutItsValues) {
  for (const char* text :
       {"database = sesame", "database = \"postgresql://me:sesame@h/x\" sesame", "database = \"sesame",
        "database = {a=\"sesame\"}", "[stream_config]\n\"sasl.password\" = sesame", "database = trsesame",
        "database = 19sesame", "database = ['sesame']"}) {
    write_file("write-aside.toml", text);
    const Finished refused = run({"status"});
    EXPECT_EQ(refused.status, 2);
    EXPECT_TRUE(refused.err.starts_with("write-aside: write-aside.toml:")) << refused.err;
    EXPECT_EQ(refused.err.find("ses"), std::string::npos) << refused.err;
    EXPECT_EQ(refused.err.find("saw"), std::string::npos) << refused.err;
  }
}

TEST_F(Hostile, AnErrorOfTheDatabaseNamesNoValues) {
  initialise();
  const Finished refused = run({"apply", "--source", "s"}, unit(1) + unit(1, "sesame"));
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("orders.id"), std::string::npos) << refused.err;
  EXPECT_EQ(refused.err.find("sesame"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace write_aside::integration
