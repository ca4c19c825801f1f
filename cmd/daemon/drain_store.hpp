// SPDX-License-Identifier: Apache-2.0
// The drains on disk: what keeps a node out of service over a restart and a reboot. A file that is
// lost or torn must never put it back in silence.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "vip/drain.hpp"

namespace anyvip::cmd {

struct LoadedDrains {
    vip::DrainState state;
    std::vector<std::string> warnings; ///< for the log
};

/// Of /etc/machine-id; empty when there is none, as in many containers.
[[nodiscard]] std::string read_machine_id();

/// A missing file means no drains. One that cannot be read or understood yields `unreadable` with
/// the reason and stays where it is until the next save. One of another machine (a cloned image, a
/// restored backup) is renamed to *.foreign and means no drains.
[[nodiscard]] LoadedDrains load_drains(const std::filesystem::path& directory,
                                       const std::string& machine_id = read_machine_id());

/// On disk when it returns: written beside the old file, synced, renamed over it, directory synced.
/// The directory is made when it is missing. Returns why not, in one line; empty when it is saved.
[[nodiscard]] std::string save_drains(const std::filesystem::path& directory,
                                      const vip::DrainState& state,
                                      const std::string& machine_id = read_machine_id());

} // namespace anyvip::cmd
