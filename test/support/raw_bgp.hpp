// SPDX-License-Identifier: Apache-2.0
// A BGP speaker's messages built and cut by hand. It shares no code with bgp/wire, so that one
// mistake cannot cancel out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace anyvip::test::raw {

using Octets = std::vector<std::uint8_t>;

/// "ff 00 0a" or "ff000a"; anything that is no hexadecimal digit separates.
inline Octets hex(std::string_view text) {
    Octets octets;
    int high = -1;
    for (const char c : text) {
        int digit = -1;
        if (c >= '0' && c <= '9') {
            digit = c - '0';
        } else if (c >= 'a' && c <= 'f') {
            digit = c - 'a' + 10;
        }
        if (digit < 0) {
            continue;
        }
        if (high < 0) {
            high = digit;
        } else {
            octets.push_back(static_cast<std::uint8_t>(high * 16 + digit));
            high = -1;
        }
    }
    return octets;
}

inline std::string to_hex(std::span<const std::uint8_t> octets) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t octet : octets) {
        text += digits[octet >> 4U];
        text += digits[octet & 15U];
    }
    return text;
}

inline Octets join(std::initializer_list<Octets> parts) {
    Octets all;
    for (const Octets& part : parts) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

inline Octets u8(std::size_t value) {
    return {static_cast<std::uint8_t>(value)};
}

inline Octets u16(std::size_t value) {
    return join({u8(value >> 8U), u8(value)});
}

inline Octets u32(std::size_t value) {
    return join({u16(value >> 16U), u16(value)});
}

inline Octets message(std::uint8_t type, const Octets& body) {
    return join({Octets(16, 0xff), u16(19 + body.size()), u8(type), body});
}

inline Octets keepalive() {
    return message(4, {});
}

inline Octets capability(std::uint8_t code, const Octets& value) {
    return join({u8(code), u8(value.size()), value});
}

struct OpenFields {
    std::uint8_t version = 4;
    std::size_t my_as = 65001;
    std::size_t hold_time = 9;
    std::size_t router_id = 0x0a000001;
    Octets capabilities{};      ///< TLVs, in one parameter
    bool has_parameters = true; ///< false: optional parameters length 0
};

/// Multiprotocol for both families, route refresh, enhanced route refresh, four-octet AS.
inline Octets usual_capabilities(std::size_t asn) {
    return join({hex("01 04 00010001"),
                 hex("01 04 00020001"),
                 hex("02 00"),
                 hex("46 00"),
                 capability(65, u32(asn))});
}

inline Octets open(const OpenFields& fields) {
    Octets parameters;
    if (fields.has_parameters) {
        parameters = join({u8(2), u8(fields.capabilities.size()), fields.capabilities});
    }
    return message(1,
                   join({u8(fields.version),
                         u16(fields.my_as),
                         u16(fields.hold_time),
                         u32(fields.router_id),
                         u8(parameters.size()),
                         parameters}));
}

inline Octets notification(std::uint8_t code, std::uint8_t subcode, const Octets& data = {}) {
    return message(3, join({u8(code), u8(subcode), data}));
}

inline Octets update(const Octets& withdrawn, const Octets& attributes, const Octets& nlri) {
    return message(
        2, join({u16(withdrawn.size()), withdrawn, u16(attributes.size()), attributes, nlri}));
}

inline Octets route_refresh(std::size_t afi, std::uint8_t subtype, std::uint8_t safi) {
    return message(5, join({u16(afi), u8(subtype), u8(safi)}));
}

struct Message {
    std::uint8_t type = 0;
    Octets body;
    friend bool operator==(const Message&, const Message&) = default;
};

/// Cuts a stream into messages; a rest that is no whole message comes last with type 0.
inline std::vector<Message> split(std::span<const std::uint8_t> stream) {
    std::vector<Message> messages;
    while (stream.size() >= 19) {
        const std::size_t length = stream[16] * std::size_t{256} + stream[17];
        if (length < 19 || length > stream.size()) {
            break;
        }
        const auto body = stream.subspan(19, length - 19);
        messages.push_back({stream[18], Octets(body.begin(), body.end())});
        stream = stream.subspan(length);
    }
    if (!stream.empty()) {
        messages.push_back({0, Octets(stream.begin(), stream.end())});
    }
    return messages;
}

/// "OPEN", "UPDATE <body in hex>", "NOTIFICATION 6/2 <data in hex>", "KEEPALIVE",
/// "REFRESH <body in hex>": one line of a script.
inline std::string describe(const Message& message) {
    const std::string body = to_hex(message.body);
    switch (message.type) {
    case 1:
        return "OPEN";
    case 2:
        return "UPDATE " + body;
    case 3: {
        std::string text = "NOTIFICATION " + std::to_string(message.body[0]) + "/" +
                           std::to_string(message.body[1]);
        return body.size() > 4 ? text + " " + body.substr(4) : text;
    }
    case 4:
        return "KEEPALIVE";
    case 5:
        return "REFRESH " + body;
    default:
        return "garbage " + body;
    }
}

} // namespace anyvip::test::raw
