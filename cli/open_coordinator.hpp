// Opens a coordinator; where no lane can be had, says whether that is because lanes are halted.
#pragma once

#include <memory>

#include "settings.hpp"
#include "write_aside/coordinator.hpp"

namespace write_aside::cli {

[[nodiscard]] Result<std::unique_ptr<Coordinator>> open_coordinator(const Stores& stores,
                                                                    const CoordinatorOptions& options);

}  // namespace write_aside::cli
