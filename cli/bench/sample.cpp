#include "bench/sample.hpp"

#include <algorithm>
#include <cmath>

namespace write_aside::cli::bench {
namespace {

template <class Figure>
double median_figure(const std::vector<Sample>& rounds, Figure figure) {
  std::vector<double> values;
  for (const Sample& sample : rounds) values.push_back(figure(sample));
  return median(std::move(values));
}

template <class Figure>
Percentiles median_percentiles(const std::vector<Sample>& rounds, Figure figure) {
  return {median_figure(rounds, [&](const Sample& sample) { return figure(sample).p50; }),
          median_figure(rounds, [&](const Sample& sample) { return figure(sample).p99; })};
}

}  // namespace

Percentiles percentiles(std::vector<double> values) {
  if (values.empty()) return {};
  const auto rank = [&values](double part) {
    const double position = std::ceil(part * static_cast<double>(values.size()));
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::max(position, 1.0)) - 1;
    std::nth_element(values.begin(), at, values.end());
    return *at;
  };
  return {rank(0.50), rank(0.99)};
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Sample median_of(const std::vector<Sample>& rounds) {
  Sample sum = rounds.front();
  sum.commits = sum.aborted = sum.in_doubt = sum.unseen = 0;
  for (const Sample& sample : rounds) {
    sum.commits += sample.commits;
    sum.aborted += sample.aborted;
    sum.in_doubt += sample.in_doubt;
    sum.unseen += sample.unseen;
    if (sum.error.empty()) sum.error = sample.error;
  }
  sum.seconds = median_figure(rounds, [](const Sample& sample) { return sample.seconds; });
  sum.commits_per_second = median_figure(rounds, [](const Sample& sample) { return sample.commits_per_second; });
  sum.processor_seconds_per_1000 =
      median_figure(rounds, [](const Sample& sample) { return sample.processor_seconds_per_1000; });
  sum.unit_ms = median_percentiles(rounds, [](const Sample& sample) { return sample.unit_ms; });
  sum.commit_ms = median_percentiles(rounds, [](const Sample& sample) { return sample.commit_ms; });
  if (sum.visible_ms) {
    sum.visible_ms =
        median_percentiles(rounds, [](const Sample& sample) { return sample.visible_ms.value_or(Percentiles{}); });
    sum.delivered_per_second =
        median_figure(rounds, [](const Sample& sample) { return sample.delivered_per_second.value_or(0); });
  }
  return sum;
}

}  // namespace write_aside::cli::bench
