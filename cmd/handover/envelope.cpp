// SPDX-License-Identifier: Apache-2.0
#include "cmd/handover/envelope.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace anyvip::cmd::handover {

namespace {

constexpr std::string_view magic = "anyvipUP";

constexpr std::array<std::uint32_t, 256> crc_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
        }
        table.at(i) = value;
    }
    return table;
}();

void append(std::vector<std::uint8_t>& file, std::uint64_t number, unsigned octets) {
    for (unsigned i = 0; i < octets; ++i) {
        file.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
    }
}

std::uint64_t number_at(std::span<const std::uint8_t> file, std::size_t at, unsigned octets) {
    std::uint64_t number = 0;
    for (unsigned i = 0; i < octets; ++i) {
        number |= std::uint64_t{file[at + i]} << (8 * i);
    }
    return number;
}

} // namespace

std::uint32_t crc32(std::span<const std::uint8_t> octets) {
    std::uint32_t crc = 0xFFFFFFFFU;
    for (const std::uint8_t octet : octets) {
        crc = crc_table[(crc ^ octet) & 0xFFU] ^ (crc >> 8U);
    }
    return ~crc;
}

std::vector<std::uint8_t> seal(std::span<const std::uint8_t> fields) {
    std::vector<std::uint8_t> file(magic.begin(), magic.end());
    file.reserve(header_octets + fields.size());
    append(file, format_version, 4);
    append(file, crc32(fields), 4);
    append(file, fields.size(), 8);
    file.insert(file.end(), fields.begin(), fields.end());
    return file;
}

std::optional<std::uint64_t> sealed_octets(std::span<const std::uint8_t> header) {
    if (header.size() < header_octets || !std::ranges::equal(header.first(magic.size()), magic)) {
        return std::nullopt;
    }
    const std::uint64_t length = number_at(header, 16, 8);
    return length <= most_octets ? std::optional(header_octets + length) : std::nullopt;
}

std::expected<std::span<const std::uint8_t>, std::string> open(std::span<const std::uint8_t> file) {
    if (file.size() < header_octets || !std::ranges::equal(file.first(magic.size()), magic)) {
        return std::unexpected("this is no state of anyvipd");
    }
    if (const auto version = number_at(file, 8, 4); version != format_version) {
        return std::unexpected("the state has format version " + std::to_string(version) +
                               ", this program understands " + std::to_string(format_version));
    }
    const auto fields = file.subspan(header_octets);
    if (number_at(file, 16, 8) != fields.size()) {
        return std::unexpected("the state is cut short");
    }
    if (number_at(file, 12, 4) != crc32(fields)) {
        return std::unexpected("the state is damaged: its checksum is wrong");
    }
    return fields;
}

} // namespace anyvip::cmd::handover
