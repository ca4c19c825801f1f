// SPDX-License-Identifier: Apache-2.0
// NOTIFICATION both ways, and what its data says to a person.
#include "bgp/wire/notification.hpp"

#include <algorithm>
#include <array>

#include "bgp/limits.hpp"
#include "bgp/wire/printable.hpp"
#include "bgp/wire/reader.hpp"
#include "bgp/wire/registry.hpp"
#include "bgp/wire/writer.hpp"

namespace anyvip::bgp::wire {

namespace {

using Octets = std::span<const std::uint8_t>;

constexpr std::size_t max_data_octets = max_message_octets - header_octets - 2;
/// RFC 9003 §2 allows 255; receivers of RFC 8203 accept 128.
constexpr std::size_t max_shutdown_octets = 128;

constexpr auto cease_code = static_cast<std::uint8_t>(ErrorCode::Cease);

bool has_shutdown_message(std::uint8_t code, std::uint8_t subcode) {
    return code == cease_code &&
           (subcode == static_cast<std::uint8_t>(Cease::AdministrativeShutdown) ||
            subcode == static_cast<std::uint8_t>(Cease::AdministrativeReset));
}

std::string hexadecimal(Octets octets) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t octet : octets.first(std::min(octets.size(), limits::shown_octets))) {
        text += digits[octet >> 4];
        text += digits[octet & 0xF];
    }
    if (octets.size() > limits::shown_octets) {
        text += "…";
    }
    return text;
}

/// RFC 9003 §2: one length octet, then UTF-8. Data of another shape is shown as it is.
std::string describe(std::uint8_t code, std::uint8_t subcode, Octets data) {
    if (!has_shutdown_message(code, subcode) || data.empty() || data.front() >= data.size()) {
        return hexadecimal(data);
    }
    return printable(data.subspan(1, data.front()));
}

} // namespace

std::optional<Notification> decode_notification(Octets body) {
    Reader reader(body);
    Notification notification;
    notification.code = reader.u8();
    notification.subcode = reader.u8();
    if (reader.failed()) {
        return std::nullopt;
    }
    const Octets data = reader.rest();
    notification.data.assign(data.begin(), data.end());
    return notification;
}

std::vector<std::uint8_t> encode_notification(const Notification& notification) {
    std::vector<std::uint8_t> message;
    Writer writer(message);
    const std::size_t start = writer.begin_message(MessageType::Notification);
    writer.u8(notification.code);
    writer.u8(notification.subcode);
    const Octets data(notification.data);
    writer.octets(data.first(std::min(data.size(), max_data_octets)));
    writer.end_message(start);
    return message;
}

Notification cease(Cease subcode, std::string_view message) {
    Notification notification{cease_code, static_cast<std::uint8_t>(subcode), {}};
    if (message.empty() || !has_shutdown_message(cease_code, notification.subcode)) {
        return notification;
    }
    const std::vector<std::uint8_t> raw(message.begin(), message.end());
    const std::string text = cut_utf8(printable(raw), max_shutdown_octets);
    notification.data.push_back(static_cast<std::uint8_t>(text.size()));
    notification.data.insert(notification.data.end(), text.begin(), text.end());
    return notification;
}

std::string describe_data(const Notification& notification) {
    const Octets data(notification.data);
    const bool is_hard_reset = notification.code == cease_code &&
                               notification.subcode == static_cast<std::uint8_t>(Cease::HardReset);
    if (!is_hard_reset || data.size() < 2) {
        return describe(notification.code, notification.subcode, data);
    }
    // RFC 8538 §3.1: the data is the code, subcode and data of the reason. Not looked into further
    // should that be a Hard Reset again.
    std::string text = name(data[0], data[1]);
    const std::string inner = describe(data[0], data[1], data.subspan(2));
    return inner.empty() ? text : text + ": " + inner;
}

std::span<const std::uint8_t> keepalive() {
    static constexpr std::array<std::uint8_t, header_octets> message{0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0xFF,
                                                                     0x00,
                                                                     0x13,
                                                                     0x04};
    return message;
}

// +--------+---------+------+
// | AFI, 2 | subtype | SAFI |
// +--------+---------+------+
RouteRefresh decode_route_refresh(Octets body) {
    Reader reader(body);
    RouteRefresh refresh;
    refresh.family.afi = reader.u16();
    refresh.subtype = reader.u8();
    refresh.family.safi = reader.u8();
    return refresh;
}

std::vector<std::uint8_t> encode_route_refresh(const RouteRefresh& refresh) {
    std::vector<std::uint8_t> message;
    Writer writer(message);
    const std::size_t start = writer.begin_message(MessageType::RouteRefresh);
    writer.u16(refresh.family.afi);
    writer.u8(refresh.subtype);
    writer.u8(refresh.family.safi);
    writer.end_message(start);
    return message;
}

} // namespace anyvip::bgp::wire
