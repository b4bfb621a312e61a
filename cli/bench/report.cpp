#include "bench/report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "json_output.hpp"

namespace write_aside::cli::bench {
namespace {

std::string load_text(const Options& options) {
  return options.rate ? fmt::format("{:g} units begun a second", *options.rate)
                      : std::string("as many units as the threads can");
}

std::string header(const Environment& environment, const Options& options) {
  std::string text = fmt::format("{}; {}; {}\n", environment.machine, environment.database, environment.stream);
  text +=
      fmt::format("durability: {}{}\n", environment.durability,
                  environment.unsafe.empty() ? "" : "  (NOT DURABLE, not to be compared: " + environment.unsafe + ")");
  text += fmt::format(
      "a unit: UPDATE + INSERT + one event of 200 bytes; {}; {} round{} of {:g} s after {:g} s of warm-up; medians\n\n",
      load_text(options), options.rounds, options.rounds == 1 ? "" : "s", options.seconds.count(),
      options.warm_up.count());
  return text;
}

std::string pair_text(const Percentiles& figures) { return fmt::format("{:.2f} / {:.2f}", figures.p50, figures.p99); }

const Sample* rows_only(const std::vector<Sample>& points, std::uint32_t threads) {
  const auto found = std::find_if(points.begin(), points.end(), [threads](const Sample& sample) {
    return sample.variant == Variant::rows_only && sample.threads == threads;
  });
  return found == points.end() ? nullptr : &*found;
}

std::string line(const Sample& point, const Sample* yardstick) {
  const bool comparable = yardstick != nullptr && yardstick->commits_per_second > 0;
  return fmt::format("{:>7}  {:<14} {:>9.0f} {:>11} {:>16} {:>16} {:>18} {:>11} {:>9.3f}\n", point.threads,
                     name_of(point.variant), point.commits_per_second,
                     comparable ? fmt::format("{:.2f}", point.commits_per_second / yardstick->commits_per_second) : "-",
                     pair_text(point.unit_ms), pair_text(point.commit_ms),
                     point.visible_ms ? pair_text(*point.visible_ms) : "-",
                     point.delivered_per_second ? fmt::format("{:.0f}", *point.delivered_per_second) : "-",
                     point.processor_seconds_per_1000);
}

std::string remarks(const std::vector<Sample>& points) {
  std::string text;
  for (const Sample& point : points) {
    const auto where = fmt::format("{}, {} threads", name_of(point.variant), point.threads);
    if (point.aborted + point.in_doubt > 0) {
      text += fmt::format("{}: {} units aborted, {} in doubt; the first: {}\n", where, point.aborted, point.in_doubt,
                          point.error);
    }
    if (point.unseen > 0) {
      text += fmt::format("{}: {} events were not visible at the end of the wait\n", where, point.unseen);
    }
  }
  return text;
}

Json json_of(const Percentiles& figures) { return {{"p50", figures.p50}, {"p99", figures.p99}}; }

Json json_of(const Sample& sample) {
  Json object;
  object["variant"] = name_of(sample.variant);
  object["threads"] = sample.threads;
  object["round"] = sample.round;
  object["begun_at"] = sample.begun_at;
  object["seconds"] = sample.seconds;
  object["commits"] = sample.commits;
  object["aborted"] = sample.aborted;
  object["in_doubt"] = sample.in_doubt;
  if (!sample.error.empty()) object["error"] = sample.error;
  object["commits_per_second"] = sample.commits_per_second;
  object["unit_ms"] = json_of(sample.unit_ms);
  object["commit_ms"] = json_of(sample.commit_ms);
  object["processor_seconds_per_1000"] = sample.processor_seconds_per_1000;
  if (sample.visible_ms) {
    object["visible_ms"] = json_of(*sample.visible_ms);
    object["unseen"] = sample.unseen;
    object["delivered_per_second"] = sample.delivered_per_second.value_or(0);
  }
  return object;
}

Json json_of(const std::vector<Sample>& samples) {
  Json array = Json::array();
  for (const Sample& sample : samples) array.push_back(json_of(sample));
  return array;
}

}  // namespace

std::vector<Sample> medians(const std::vector<Sample>& samples) {
  std::vector<std::vector<Sample>> points;
  for (const Sample& sample : samples) {
    const auto point = std::find_if(points.begin(), points.end(), [&sample](const auto& rounds) {
      return rounds.front().variant == sample.variant && rounds.front().threads == sample.threads;
    });
    if (point == points.end()) {
      points.push_back({sample});
    } else {
      point->push_back(sample);
    }
  }
  std::vector<Sample> result;
  for (const auto& rounds : points) result.push_back(median_of(rounds));
  return result;
}

std::string to_table(const Environment& environment, const Options& options, const std::vector<Sample>& samples) {
  const std::vector<Sample> points = medians(samples);
  std::string text = header(environment, options);
  text +=
      fmt::format("{:>7}  {:<14} {:>9} {:>11} {:>16} {:>16} {:>18} {:>11} {:>9}\n", "threads", "variant", "commits/s",
                  "/ rows_only", "unit p50/p99 ms", "commit p50/p99", "visible after, ms", "delivered/s", "cpu s/1k");
  for (const Sample& point : points) text += line(point, rows_only(points, point.threads));
  return text + remarks(points);
}

std::string to_json(const Environment& environment, const Options& options, const std::vector<Sample>& samples) {
  Json object;
  object["machine"] = environment.machine;
  object["database"] = environment.database;
  object["stream"] = environment.stream;
  object["durability"] = environment.durability;
  object["unsafe"] = environment.unsafe.empty() ? Json() : Json(environment.unsafe);
  object["rate"] = options.rate ? Json(*options.rate) : Json();
  object["samples"] = json_of(samples);
  object["medians"] = json_of(medians(samples));
  return to_line(object);
}

std::string to_progress(const Sample& sample, const Options& options) {
  return fmt::format("round {}/{}, {} threads, {}: {:.0f} commits/s", sample.round, options.rounds, sample.threads,
                     name_of(sample.variant), sample.commits_per_second);
}

}  // namespace write_aside::cli::bench
