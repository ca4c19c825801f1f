// SPDX-License-Identifier: Apache-2.0
// Walks over AS_PATH segments.
#include "bgp/wire/as_path.hpp"

#include "bgp/wire/reader.hpp"
#include "bgp/wire/registry.hpp"
#include "bgp/wire/update.hpp"

namespace anyvip::bgp::wire {

namespace {

bool is_confederation(std::uint8_t type) {
    return type == static_cast<std::uint8_t>(SegmentType::ConfedSequence) ||
           type == static_cast<std::uint8_t>(SegmentType::ConfedSet);
}

Asn read_asn(Reader& reader, bool four_octet_asn) {
    return Asn{four_octet_asn ? reader.u32() : reader.u16()};
}

} // namespace

// +------+-------+------ … ------+
// | type | count | AS numbers    |   any number of times
// +------+-------+------ … ------+
PathCheck check_path(std::span<const std::uint8_t> octets, bool four_octet_asn) {
    PathCheck check;
    const std::size_t width = four_octet_asn ? 4 : 2;
    for (Reader reader(octets); !reader.empty();) {
        const bool is_first = reader.remaining() == octets.size();
        const std::uint8_t type = reader.u8();
        const std::size_t count = reader.u8();
        Reader numbers = reader.sub(count * width);
        if (reader.failed()) {
            check.problem = "a segment is cut off";
            return check;
        }
        if (count == 0) {
            check.problem = "a segment is empty";
            return check;
        }
        switch (type) {
        case static_cast<std::uint8_t>(SegmentType::Set):
            check.has_set = true;
            check.length += 1;
            break;
        case static_cast<std::uint8_t>(SegmentType::Sequence):
            check.length += static_cast<std::uint32_t>(count);
            break;
        case static_cast<std::uint8_t>(SegmentType::ConfedSequence):
        case static_cast<std::uint8_t>(SegmentType::ConfedSet):
            check.has_confederation = true;
            break;
        default:
            check.problem = "unknown segment type";
            return check;
        }
        while (!numbers.empty()) {
            const Asn asn = read_asn(numbers, four_octet_asn);
            check.has_zero |= asn.value == 0;
            if (is_first && !check.first_asn &&
                type == static_cast<std::uint8_t>(SegmentType::Sequence)) {
                check.first_asn = asn;
            }
        }
    }
    return check;
}

std::vector<Asn>
as_numbers(std::span<const std::uint8_t> as_path, bool four_octet_asn, std::size_t limit) {
    std::vector<Asn> numbers;
    for (Reader reader(as_path); !reader.empty();) {
        const std::uint8_t type = reader.u8();
        const std::size_t count = reader.u8();
        Reader segment = reader.sub(count * (four_octet_asn ? 4U : 2U));
        if (is_confederation(type)) {
            continue;
        }
        while (!segment.empty()) {
            if (numbers.size() == limit) {
                return numbers;
            }
            numbers.push_back(read_asn(segment, four_octet_asn));
        }
    }
    return numbers;
}

} // namespace anyvip::bgp::wire
