// Goal: what the documents say about the code exists. Method: read them as text and look everything up.
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace write_aside {
namespace {

namespace fs = std::filesystem;

const fs::path root = WRITE_ASIDE_SOURCE_DIR;

std::string read(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<fs::path> documents() {
  std::vector<fs::path> paths{root / "README.md", root / "CONTRIBUTING.md"};
  for (const auto& entry : fs::directory_iterator(root / "docs")) paths.push_back(entry.path());
  return paths;
}

std::string test_sources() {
  std::string text;
  for (const auto& entry : fs::recursive_directory_iterator(root / "tests")) {
    const fs::path extension = entry.path().extension();
    if (extension == ".cpp" || extension == ".hpp" || extension == ".cmake" || extension == ".txt") {
      text += read(entry.path());
    }
  }
  // A long declaration may stand on two lines.
  std::erase_if(text, [](unsigned char c) { return std::isspace(c) != 0; });
  return text;
}

// The first group of every match in every document, with the document that it stands in.
std::set<std::pair<std::string, std::string>> find_all(const std::string& pattern) {
  std::set<std::pair<std::string, std::string>> found;
  const std::regex expression(pattern);
  for (const fs::path& path : documents()) {
    const std::string text = read(path);
    for (std::sregex_iterator match(text.begin(), text.end(), expression), end; match != end; ++match) {
      found.emplace((*match)[1], fs::relative(path, root));
    }
  }
  return found;
}

// What stands between two lines that hold `mark`, without the indentation of the first line.
std::string between(const std::string& text, const std::string& mark) {
  const std::size_t begin = text.find('\n', text.find(mark)) + 1;
  const std::size_t end = text.rfind('\n', text.rfind(mark)) + 1;
  std::istringstream lines(text.substr(begin, end - begin));
  const std::size_t indent = text.find_first_not_of(' ', begin) - begin;
  std::string result;
  for (std::string line; std::getline(lines, line);) result += line.substr(std::min(indent, line.size())) + '\n';
  return result;
}

TEST(Documents, ShowTheExamplesProgramInTheReadme) {
  const std::string program = between(read(root / "examples/orders.cpp"), "// [readme]");
  ASSERT_GT(program.size(), 200u);
  EXPECT_NE(read(root / "README.md").find("```cpp\n" + program + "```"), std::string::npos)
      << "README.md does not show what examples/orders.cpp has between its marks:\n"
      << program;
}

TEST(Documents, NameOnlyTestsThatExist) {
  const std::string sources = test_sources();
  const auto names = find_all("`([A-Z][A-Za-z0-9]+\\.[A-Z][A-Z0-9_]*[a-z]\\w+)`");
  EXPECT_GT(names.size(), 50u);
  for (const auto& [name, document] : names) {
    const std::size_t dot = name.find('.');
    const std::string declared = name.substr(0, dot) + ',' + name.substr(dot + 1) + ")";
    EXPECT_NE(sources.find(declared), std::string::npos) << document << " names the test " << name;
  }
  for (const auto& [name, document] : find_all("`integration/([A-Z]\\w+)`")) {
    EXPECT_NE(sources.find(name + ":"), std::string::npos) << document << " names the test integration/" << name;
  }
  for (const auto& [name, document] : find_all("`crash/([A-Z]\\w+)`")) {
    EXPECT_NE(sources.find("write_aside_add_campaign(" + name + "crash"), std::string::npos)
        << document << " names the campaign " << name;
  }
}

TEST(Documents, NameOnlyFilesThatExist) {
  for (const auto& [name, document] :
       find_all("`((?:src|include|cli|tests|examples|tools|docs|bench|model)/[\\w./-]*)`")) {
    EXPECT_TRUE(fs::exists(root / name)) << document << " names " << name;
  }
}

TEST(Documents, NameEveryMutantOfTheModel) {
  const std::string protocol = read(root / "docs/protocol.md");
  const std::string mutants = read(root / "model/mutants.cpp");
  const std::regex name("\\{\"([a-z]\\d?_\\w+)\"");
  std::size_t count = 0;
  for (std::sregex_iterator match(mutants.begin(), mutants.end(), name), end; match != end; ++match, ++count) {
    EXPECT_NE(protocol.find('`' + (*match)[1].str() + '`'), std::string::npos)
        << "docs/protocol.md does not name the mutant " << (*match)[1];
  }
  EXPECT_GT(count, 40u);
}

TEST(Documents, LinkOnlyToFilesThatExist) {
  const auto links = find_all("\\]\\(([^)#: ]+)(?:#[^)]*)?\\)");
  EXPECT_GT(links.size(), 5u);
  for (const auto& [link, document] : links) {
    EXPECT_TRUE(fs::exists((root / document).parent_path() / link)) << document << " links to " << link;
  }
}

}  // namespace
}  // namespace write_aside
