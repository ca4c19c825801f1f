// SPDX-License-Identifier: Apache-2.0
// Forgiving reads of JSON documents: a daemon of another version must not break the command.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "cmd/client/table.hpp"

namespace anyvip::client {

/// A member, or null.
[[nodiscard]] const boost::json::value& member(const boost::json::value& document,
                                               std::string_view key);

/// The elements of an array; none of anything else.
[[nodiscard]] const boost::json::array& elements(const boost::json::value& value);

/// The value itself when it is an array, otherwise its member of this name.
[[nodiscard]] const boost::json::array& list(const boost::json::value& document,
                                             std::string_view key);

/// A scalar as people write it: "-" for null and "", yes and no, lists with commas. Printable.
[[nodiscard]] std::string text(const boost::json::value& value);

[[nodiscard]] inline std::string text(const boost::json::value& document, std::string_view key) {
    return text(member(document, key));
}

/// The colour of a state of a VIP, peer or check.
[[nodiscard]] Colour colour_of_state(std::string_view state);

[[nodiscard]] inline Cell state_cell(const boost::json::value& document, std::string_view key) {
    std::string state = text(document, key);
    const Colour colour = colour_of_state(state);
    return {.text = std::move(state), .colour = colour};
}

} // namespace anyvip::client
