// SPDX-License-Identifier: Apache-2.0
// The side of an upgrade in place that takes over: from the octets of a state to a program that
// goes on with it. The trial does the same and goes no further.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bgp/bfd_net/thread.hpp"
#include "bgp/net/file_descriptor.hpp"
#include "cmd/agent/agent.hpp"
#include "cmd/daemon/handed_over.hpp"

namespace anyvip::cmd {

/// A state has two parts, one behind the other and each sealed: the shell with the agent, and BFD.
/// So the first may be long: BFD stands still only while its own part is written and read.
struct StateTags {
    static constexpr std::uint8_t shell = 1;
    static constexpr std::uint8_t bfd = 2;
    static constexpr std::uint8_t agent = 3;
    /// All that are named in the part: who does not know what one of them is for closes it.
    static constexpr std::uint8_t descriptors = 4;
};

/// One part, sealed.
struct SavedState {
    std::vector<std::uint8_t> file;
    std::vector<int> descriptors; ///< named in it
};

[[nodiscard]] SavedState save_state(HandedOver& shell, Agent& agent);
/// It stands still; nullptr: there is none.
[[nodiscard]] SavedState save_bfd(bgp::bfd_net::Thread* bfd);

struct Takeover {
    HandedOver shell;
    Config config;
    std::unique_ptr<bgp::bfd_net::Thread> bfd; ///< nullptr: there is none
    std::unique_ptr<Agent> agent;
};

/// Both parts, without the files that they name: for a trial. The error is one line.
[[nodiscard]] std::expected<Takeover, std::string>
restore_state(std::span<const std::uint8_t> file);

/// The same with the files; the state's own is closed. BFD runs before anything else is read.
[[nodiscard]] std::expected<Takeover, std::string> take_over(bgp::net::FileDescriptor state);

/// The environment variable that names the descriptor of the state to a program that takes over.
inline constexpr const char* state_variable = "ANYVIP_UPGRADE_STATE";

/// The descriptor from the environment, which is cleared: no child may see it. -1: an ordinary
/// start.
[[nodiscard]] int inherited_state();

/// All of a file from this offset on; the error is one line.
[[nodiscard]] std::expected<std::vector<std::uint8_t>, std::string> read_state(int descriptor,
                                                                               std::size_t offset);

/// The trial, `anyvipd --upgrade-trial`: restores the state on standard input and the configuration
/// in `config_file`, decides once, and touches nothing. Prints "ready VERSION", or why not as its
/// last line. Returns the exit status.
[[nodiscard]] int run_upgrade_trial(const std::string& config_file);

} // namespace anyvip::cmd
