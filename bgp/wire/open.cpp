// SPDX-License-Identifier: Apache-2.0
// OPEN (RFC 4271 §4.2) with its optional parameters in both forms (RFC 5492 §4, RFC 9072 §2).
#include "bgp/wire/open.hpp"

#include "bgp/wire/capability.hpp"
#include "bgp/wire/errors.hpp"
#include "bgp/wire/reader.hpp"
#include "bgp/wire/writer.hpp"

namespace anyvip::bgp::wire {

namespace {

constexpr std::uint8_t capabilities_parameter = 2;
constexpr std::uint8_t extended_length_parameter = 255; // RFC 9072 §2

/// Where the optional parameters are, and how wide their lengths.
struct Parameters {
    std::span<const std::uint8_t> octets;
    bool extended = false;
};

/// `octets`: everything behind Optional Parameters Length.
std::expected<Parameters, Error> locate_parameters(std::uint8_t length_octets,
                                                   std::span<const std::uint8_t> octets) {
    // RFC 9072 §2: the type 255 in first place decides, whatever the one-octet length says, unless
    // that is zero.
    if (length_octets != 0 && !octets.empty() && octets.front() == extended_length_parameter) {
        Reader reader(octets.subspan(1));
        const std::size_t extended_length = reader.u16();
        if (reader.failed() || extended_length != reader.remaining()) {
            return std::unexpected(
                errors::malformed_parameters("extended parameters length contradicts the message"));
        }
        return Parameters{reader.rest(), true};
    }
    if (length_octets != octets.size()) {
        return std::unexpected(
            errors::malformed_parameters("optional parameters length contradicts the message"));
    }
    return Parameters{octets, false};
}

} // namespace

//  0         1        3           5               9           10
// +---------+--------+-----------+---------------+-----------+------ … ------+
// | version | my AS  | hold time | identifier    | length    | parameters    |
// +---------+--------+-----------+---------------+-----------+------ … ------+
// RFC 9072: length 255, then 255, a length of two octets, and parameters with two-octet lengths.
std::expected<Open, Error> decode_open(std::span<const std::uint8_t> body) {
    Reader reader(body);
    Open open;
    open.version = reader.u8();
    open.my_as = reader.u16();
    open.hold_time_s = reader.u16();
    open.router_id = RouterId{reader.u32()};
    const std::uint8_t length = reader.u8();
    if (reader.failed()) {
        return std::unexpected(errors::malformed_parameters("OPEN is cut off"));
    }
    if (open.version != 4) {
        return std::unexpected(errors::unsupported_version(open.version));
    }
    const auto parameters = locate_parameters(length, reader.rest());
    if (!parameters) {
        return std::unexpected(parameters.error());
    }
    Reader rest(parameters->octets);
    while (!rest.empty()) {
        const std::uint8_t type = rest.u8();
        const std::size_t size = parameters->extended ? rest.u16() : rest.u8();
        const auto value = rest.take(size);
        if (rest.failed()) {
            return std::unexpected(
                errors::malformed_parameters("an optional parameter exceeds the message"));
        }
        if (type != capabilities_parameter) {
            return std::unexpected(errors::unsupported_parameter(type));
        }
        if (!open.capabilities) {
            open.capabilities.emplace();
        }
        if (auto error = decode_capabilities(value, *open.capabilities)) {
            return std::unexpected(std::move(*error));
        }
    }
    return open;
}

std::vector<std::uint8_t> encode_open(const Open& open) {
    std::vector<std::uint8_t> message;
    Writer writer(message);
    const std::size_t start = writer.begin_message(MessageType::Open);
    writer.u8(open.version);
    writer.u16(open.my_as);
    writer.u16(open.hold_time_s);
    writer.u32(open.router_id.value);
    if (open.capabilities) {
        const auto capabilities = encode_capabilities(*open.capabilities);
        writer.u8(static_cast<std::uint8_t>(capabilities.size() + 2));
        writer.u8(capabilities_parameter);
        writer.u8(static_cast<std::uint8_t>(capabilities.size()));
        writer.octets(capabilities);
    } else {
        writer.u8(0);
    }
    writer.end_message(start);
    return message;
}

} // namespace anyvip::bgp::wire
