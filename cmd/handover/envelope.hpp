// SPDX-License-Identifier: Apache-2.0
// What stands around a state that is handed over, by which a reader tells that it is whole and that
// it is one for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

// +-----------------+------------+------------+-------------+------ … ------+
// | "anyvipUP", 8   | version, 4 | CRC-32, 4  | length, 8   | fields        |
// +-----------------+------------+------------+-------------+------ … ------+
//
// Several may follow one another in a file. Little-endian. The CRC (of ISO 3309, as in zlib) covers
// the fields.
namespace anyvip::cmd::handover {

/// Raised when a field changes its meaning. Fields that are added need no new version: a program
/// skips what it does not know and starts with its defaults where something is missing.
inline constexpr std::uint32_t format_version = 1;

inline constexpr std::size_t header_octets = 24;
/// A state of ten thousand VIPs towards four routers takes about a tenth of this.
inline constexpr std::size_t most_octets = std::size_t{256} * 1024 * 1024;

[[nodiscard]] std::uint32_t crc32(std::span<const std::uint8_t> octets);

/// The whole, header and fields.
[[nodiscard]] std::vector<std::uint8_t> seal(std::span<const std::uint8_t> fields);

/// How long the whole is that begins with these octets; nullopt: they begin none.
[[nodiscard]] std::optional<std::uint64_t> sealed_octets(std::span<const std::uint8_t> header);

/// The fields within; the error is one line.
[[nodiscard]] std::expected<std::span<const std::uint8_t>, std::string>
open(std::span<const std::uint8_t> file);

} // namespace anyvip::cmd::handover
