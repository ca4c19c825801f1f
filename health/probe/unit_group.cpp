// SPDX-License-Identifier: Apache-2.0
#include "health/probe/unit_group.hpp"

#include <map>

namespace anyvip::health {

namespace {

std::map<std::string, std::string>& directories() {
    static std::map<std::string, std::string> of_units;
    return of_units;
}

} // namespace

void remember_unit_group(const std::string& unit, const std::string& directory) {
    directories()[unit] = directory;
}

std::string unit_group(const std::string& unit) {
    const auto found = directories().find(unit);
    return found == directories().end() ? std::string() : found->second;
}

} // namespace anyvip::health
