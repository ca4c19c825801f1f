// SPDX-License-Identifier: Apache-2.0
// Where systemd keeps the control group of a unit: told by the probe, which asks systemd anyway, to
// the tripwire, which watches it. Slices and instances (foo@1.service) leave nothing to guess.
#pragma once

#include <string>

namespace anyvip::health {

/// `directory` empty: it has none now. For the loop's thread only.
void remember_unit_group(const std::string& unit, const std::string& directory);

/// Empty: not known.
[[nodiscard]] std::string unit_group(const std::string& unit);

} // namespace anyvip::health
