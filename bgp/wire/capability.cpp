// SPDX-License-Identifier: Apache-2.0
// Capabilities both ways: one function for each code that is understood.
#include "bgp/wire/capability.hpp"

#include <algorithm>

#include "bgp/limits.hpp"
#include "bgp/wire/errors.hpp"
#include "bgp/wire/reader.hpp"
#include "bgp/wire/writer.hpp"

namespace anyvip::bgp::wire {

namespace {

using Octets = std::span<const std::uint8_t>;

AfiSafi read_afi_safi(Reader& reader) {
    AfiSafi family;
    family.afi = reader.u16();
    family.safi = reader.u8();
    return family;
}

/// RFC 4760 §8: AFI, a reserved octet, SAFI.
std::optional<Error> read_multiprotocol(Octets value, Capabilities& into) {
    if (value.size() != 4) {
        return errors::malformed_capability(1, value.size());
    }
    Reader reader(value);
    AfiSafi family;
    family.afi = reader.u16();
    reader.u8();
    family.safi = reader.u8();
    into.multiprotocol.push_back(family);
    return std::nullopt;
}

/// RFC 6793 §3. A second capability with another number leaves open which one is meant.
std::optional<Error> read_four_octet_asn(Octets value, Capabilities& into) {
    if (value.size() != 4) {
        return errors::malformed_capability(65, value.size());
    }
    const Asn asn{Reader(value).u32()};
    if (into.four_octet_asn && *into.four_octet_asn != asn) {
        return errors::conflicting_asn(*into.four_octet_asn, asn);
    }
    into.four_octet_asn = asn;
    return std::nullopt;
}

/// RFC 8950 §4: tuples of six octets, the SAFI with two of them.
bool read_extended_next_hop(Octets value, Capabilities& into) {
    if (value.size() % 6 != 0) {
        return false;
    }
    for (Reader reader(value); !reader.empty();) {
        ExtendedNextHop tuple;
        tuple.nlri_afi = reader.u16();
        tuple.nlri_safi = reader.u16();
        tuple.next_hop_afi = reader.u16();
        into.extended_next_hop.push_back(tuple);
    }
    return true;
}

/// RFC 9234 §4.2: one octet. The same role twice is harmless, different ones are for the session.
bool read_role(Octets value, Capabilities& into) {
    if (value.size() != 1) {
        return false;
    }
    into.has_conflicting_roles |= into.role && *into.role != value.front();
    into.role = into.role.value_or(value.front());
    return true;
}

/// RFC 4724 §3: flags and time, then AFI, SAFI and flags. The last instance counts.
bool read_graceful_restart(Octets value, Capabilities& into) {
    if (value.size() < 2 || (value.size() - 2) % 4 != 0) {
        return false;
    }
    Reader reader(value);
    const std::uint16_t first = reader.u16();
    GracefulRestart restart;
    restart.flags = static_cast<std::uint8_t>(first >> 12);
    restart.restart_time_s = first & 0x0FFF;
    while (!reader.empty()) {
        GracefulRestart::Tuple tuple;
        tuple.family = read_afi_safi(reader);
        tuple.flags = reader.u8();
        restart.tuples.push_back(tuple);
    }
    into.graceful_restart = std::move(restart);
    return true;
}

/// RFC 7911 §4: a value other than 1, 2, 3 makes the whole capability not understood; the last
/// instance counts.
bool read_add_path(Octets value, Capabilities& into) {
    if (value.size() % 4 != 0) {
        return false;
    }
    std::vector<AddPath> tuples;
    for (Reader reader(value); !reader.empty();) {
        AddPath tuple;
        tuple.family = read_afi_safi(reader);
        tuple.send_receive = reader.u8();
        if (tuple.send_receive < 1 || tuple.send_receive > 3) {
            return false;
        }
        tuples.push_back(tuple);
    }
    into.add_path = std::move(tuples);
    return true;
}

bool read_flag(Octets value, bool& flag) {
    if (!value.empty()) {
        return false;
    }
    flag = true;
    return true;
}

void remember_other(std::uint8_t code, Capabilities& into) {
    auto& codes = into.other_codes;
    if (codes.size() < limits::other_capabilities &&
        std::ranges::find(codes, code) == codes.end()) {
        codes.push_back(code);
    }
}

std::optional<Error> read_capability(std::uint8_t code, Octets value, Capabilities& into) {
    bool understood = false;
    switch (code) {
    case static_cast<std::uint8_t>(CapabilityCode::Multiprotocol):
        return read_multiprotocol(value, into);
    case static_cast<std::uint8_t>(CapabilityCode::FourOctetAsn):
        return read_four_octet_asn(value, into);
    case static_cast<std::uint8_t>(CapabilityCode::RouteRefresh):
        understood = read_flag(value, into.route_refresh);
        break;
    case static_cast<std::uint8_t>(CapabilityCode::ExtendedNextHop):
        understood = read_extended_next_hop(value, into);
        break;
    case static_cast<std::uint8_t>(CapabilityCode::Role):
        understood = read_role(value, into);
        break;
    case static_cast<std::uint8_t>(CapabilityCode::GracefulRestart):
        understood = read_graceful_restart(value, into);
        break;
    case static_cast<std::uint8_t>(CapabilityCode::AddPath):
        understood = read_add_path(value, into);
        break;
    case static_cast<std::uint8_t>(CapabilityCode::EnhancedRouteRefresh):
        understood = read_flag(value, into.enhanced_route_refresh);
        break;
    default:
        break;
    }
    if (!understood) {
        remember_other(code, into);
    }
    return std::nullopt;
}

void write_code(Writer& writer, CapabilityCode code, std::size_t length_octets) {
    writer.u8(static_cast<std::uint8_t>(code));
    writer.u8(static_cast<std::uint8_t>(length_octets));
}

void write_afi_safi(Writer& writer, AfiSafi family) {
    writer.u16(family.afi);
    writer.u8(family.safi);
}

} // namespace

std::optional<Error> decode_capabilities(Octets octets, Capabilities& capabilities) {
    Reader reader(octets);
    while (!reader.empty()) {
        const std::uint8_t code = reader.u8();
        const std::size_t size = reader.u8();
        const Octets value = reader.take(size);
        if (reader.failed()) {
            return errors::malformed_parameters("a capability exceeds its parameter");
        }
        if (auto error = read_capability(code, value, capabilities)) {
            return error;
        }
    }
    return std::nullopt;
}

std::vector<std::uint8_t> encode_capabilities(const Capabilities& capabilities) {
    std::vector<std::uint8_t> octets;
    Writer writer(octets);
    for (const AfiSafi family : capabilities.multiprotocol) {
        write_code(writer, CapabilityCode::Multiprotocol, 4);
        writer.u16(family.afi);
        writer.u8(0);
        writer.u8(family.safi);
    }
    if (!capabilities.extended_next_hop.empty()) {
        const std::size_t size = capabilities.extended_next_hop.size() * 6;
        write_code(writer, CapabilityCode::ExtendedNextHop, size);
        for (const ExtendedNextHop& tuple : capabilities.extended_next_hop) {
            writer.u16(tuple.nlri_afi);
            writer.u16(tuple.nlri_safi);
            writer.u16(tuple.next_hop_afi);
        }
    }
    if (capabilities.route_refresh) {
        write_code(writer, CapabilityCode::RouteRefresh, 0);
    }
    if (capabilities.enhanced_route_refresh) {
        write_code(writer, CapabilityCode::EnhancedRouteRefresh, 0);
    }
    if (capabilities.four_octet_asn) {
        write_code(writer, CapabilityCode::FourOctetAsn, 4);
        writer.u32(capabilities.four_octet_asn->value);
    }
    if (capabilities.graceful_restart) {
        const GracefulRestart& restart = *capabilities.graceful_restart;
        write_code(writer, CapabilityCode::GracefulRestart, 2 + restart.tuples.size() * 4);
        writer.u16(static_cast<std::uint16_t>(restart.flags << 12 | restart.restart_time_s));
        for (const GracefulRestart::Tuple& tuple : restart.tuples) {
            write_afi_safi(writer, tuple.family);
            writer.u8(tuple.flags);
        }
    }
    if (!capabilities.add_path.empty()) {
        write_code(writer, CapabilityCode::AddPath, capabilities.add_path.size() * 4);
        for (const AddPath& tuple : capabilities.add_path) {
            write_afi_safi(writer, tuple.family);
            writer.u8(tuple.send_receive);
        }
    }
    if (capabilities.role) {
        write_code(writer, CapabilityCode::Role, 1);
        writer.u8(*capabilities.role);
    }
    return octets;
}

} // namespace anyvip::bgp::wire
