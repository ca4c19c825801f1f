// SPDX-License-Identifier: Apache-2.0
// The commands in one table: parser, help and tests read it.
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace anyvip::client {

struct Option {
    std::string_view name;  ///< "deadline", or "follow,f" with its letter
    std::string_view value; ///< what stands for its value in the help; empty: a switch
    std::string_view help;
};

struct Command {
    std::string_view name;
    std::string_view operands; ///< "[VIP…]", for the help
    std::size_t least_operands;
    std::size_t most_operands;
    std::string_view summary;
    std::span<const Option> options;
};

/// In the order in which the help shows them.
[[nodiscard]] std::span<const Command> commands();

/// nullptr when there is none of this name.
[[nodiscard]] const Command* find_command(std::string_view name);

} // namespace anyvip::client
