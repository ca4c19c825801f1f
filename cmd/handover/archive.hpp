// SPDX-License-Identifier: Apache-2.0
// The state of the program as octets and back. One `transfer(archive)` in a class names each member
// once and serves both directions (saver.hpp, loader.hpp), so that they cannot drift apart.
#pragma once

#include <cstdint>
#include <type_traits>

// An object is a sequence of fields; numbers are in the host's order, for nothing leaves it.
//
// +-----+--------------+------ … ------+
// | tag | length, 4    | value         |
// +-----+--------------+------ … ------+
//
// A tag keeps its meaning and its type for ever. A field that the reader does not know is skipped;
// one that is not there leaves the member as its constructor made it. So a newer program reads what
// an older one wrote, and the other way round. What cannot be said so needs another format version
// (envelope.hpp).
//
// An element of a container is a length and a value. Nothing is allocated for a count that is only
// claimed: containers grow as elements are read.
namespace anyvip::cmd::handover {

/// Times and durations beyond this are refused, so that the sum of two cannot overflow: 146 years
/// in nanoseconds.
inline constexpr std::int64_t longest_ns = (std::int64_t{1} << 62) - 1;

template <class T>
concept Number = std::is_arithmetic_v<T>;

} // namespace anyvip::cmd::handover
