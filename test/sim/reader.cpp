// SPDX-License-Identifier: Apache-2.0
// A second, small reading of RFC 4271 §4 and RFC 4760.
#include "test/sim/reader.hpp"

#include <algorithm>
#include <array>

namespace anyvip::sim {

namespace {

void demand(bool is_so, const std::string& what) {
    if (!is_so) {
        throw Violation("malformed message from an agent: " + what);
    }
}

/// A cursor that ends the run when it leaves its octets.
class Cursor {
  public:
    explicit Cursor(std::span<const std::uint8_t> octets) : octets_(octets) {}

    [[nodiscard]] bool is_at_end() const { return octets_.empty(); }

    std::span<const std::uint8_t> take(std::size_t count) {
        demand(count <= octets_.size(), "a length runs past its end");
        const auto taken = octets_.first(count);
        octets_ = octets_.subspan(count);
        return taken;
    }

    std::uint32_t number(std::size_t count) {
        std::uint32_t value = 0;
        for (const std::uint8_t octet : take(count)) {
            value = value << 8U | octet;
        }
        return value;
    }

  private:
    std::span<const std::uint8_t> octets_;
};

[[nodiscard]] std::vector<Prefix> read_prefixes(std::span<const std::uint8_t> octets,
                                                Family family) {
    std::vector<Prefix> prefixes;
    const std::size_t size = family == Family::Ipv4 ? 4 : 16;
    Cursor cursor(octets);
    while (!cursor.is_at_end()) {
        const auto bits = static_cast<std::uint8_t>(cursor.number(1));
        demand(bits <= size * 8, "prefix length");
        std::array<std::uint8_t, 16> address{};
        std::ranges::copy(cursor.take((bits + std::size_t{7}) / 8), address.begin());
        prefixes.push_back(
            Prefix::of(IpAddress::from_octets(std::span(address).first(size)), bits));
    }
    return prefixes;
}

[[nodiscard]] std::size_t path_length(std::span<const std::uint8_t> value) {
    std::size_t length = 0;
    Cursor cursor(value);
    while (!cursor.is_at_end()) {
        demand(cursor.number(1) == 2, "AS_PATH segment that is no sequence");
        const std::uint32_t count = cursor.number(1);
        demand(count > 0, "empty AS_PATH segment");
        cursor.take(std::size_t{4} * count);
        length += count;
    }
    return length;
}

/// Flags that RFC 4271 §5, RFC 1997, RFC 4760, RFC 4360 and RFC 8092 give each type that an agent
/// may send; the extended length bit is free.
[[nodiscard]] std::uint32_t flags_of(std::uint32_t type) {
    switch (type) {
    case 1: // ORIGIN
    case 2: // AS_PATH
    case 3: // NEXT_HOP
    case 5: // LOCAL_PREF
        return 0x40;
    case 4:  // MULTI_EXIT_DISC
    case 14: // MP_REACH_NLRI
    case 15: // MP_UNREACH_NLRI
        return 0x80;
    case 8:  // COMMUNITIES
    case 16: // EXTENDED COMMUNITIES
    case 32: // LARGE_COMMUNITY
        return 0xC0;
    default:
        throw Violation("an agent sent attribute " + std::to_string(type));
    }
}

void read_reach(std::span<const std::uint8_t> value, Update& update, Octets& rest) {
    Cursor cursor(value);
    const std::uint32_t afi = cursor.number(2);
    demand(afi == 1 || afi == 2, "AFI of MP_REACH_NLRI");
    demand(cursor.number(1) == 1, "SAFI of MP_REACH_NLRI");
    const std::uint32_t length = cursor.number(1);
    demand(length == 4 || length == 16 || length == 32, "next hop length");
    const auto next_hop = cursor.take(length);
    rest.insert(rest.end(), next_hop.begin(), next_hop.end());
    cursor.take(1);
    const std::size_t used = 5 + std::size_t{length};
    update.announced = read_prefixes(value.subspan(used), afi == 1 ? Family::Ipv4 : Family::Ipv6);
    demand(!update.announced.empty(), "MP_REACH_NLRI without prefixes");
}

/// Returns whether the attribute was there for the withdrawn prefixes alone.
void read_attribute(std::uint32_t type, std::span<const std::uint8_t> value, Update& update) {
    Route& route = update.route;
    Octets rest;
    Cursor cursor(value);
    if (type == 14) {
        read_reach(value, update, rest);
    } else if (type == 15) {
        const std::uint32_t afi = cursor.number(2);
        demand(cursor.number(1) == 1, "SAFI of MP_UNREACH_NLRI");
        const Family family = afi == 1 ? Family::Ipv4 : Family::Ipv6;
        update.withdrawn = read_prefixes(value.subspan(3), family);
        if (update.withdrawn.empty()) {
            update.end_of_rib = family;
        }
        return;
    } else {
        rest.assign(value.begin(), value.end());
    }
    if (type == 2) {
        route.path_length = path_length(value);
    } else if (type == 3) {
        demand(value.size() == 4, "NEXT_HOP");
    } else if (type == 5) {
        route.local_pref = cursor.number(4);
    } else if (type == 8) {
        while (!cursor.is_at_end()) {
            route.communities.insert(cursor.number(4));
        }
    } else if (type == 32) {
        while (!cursor.is_at_end()) {
            const auto community = cursor.take(12);
            route.large_communities.emplace_back(community.begin(), community.end());
        }
    }
    route.attributes.push_back(static_cast<std::uint8_t>(type));
    route.attributes.insert(route.attributes.end(), rest.begin(), rest.end());
}

} // namespace

Update read_update(std::span<const std::uint8_t> body) {
    Update update;
    Cursor cursor(body);
    const auto withdrawn = cursor.take(cursor.number(2));
    Cursor attributes(cursor.take(cursor.number(2)));
    const bool has_attributes = !attributes.is_at_end();
    const auto nlri =
        cursor.take(body.size() - 4 - withdrawn.size() -
                    (std::size_t{body[2 + withdrawn.size()]} << 8U | body[3 + withdrawn.size()]));
    std::set<std::uint32_t> types;
    while (!attributes.is_at_end()) {
        const std::uint32_t flags = attributes.number(1);
        const std::uint32_t type = attributes.number(1);
        const std::uint32_t length = attributes.number((flags & 0x10U) != 0 ? 2 : 1);
        demand((flags & ~0x10U) == flags_of(type), "flags of attribute " + std::to_string(type));
        demand(types.insert(type).second, "attribute twice");
        read_attribute(type, attributes.take(length), update);
    }
    for (const Prefix& prefix : read_prefixes(withdrawn, Family::Ipv4)) {
        update.withdrawn.push_back(prefix);
    }
    for (const Prefix& prefix : read_prefixes(nlri, Family::Ipv4)) {
        update.announced.push_back(prefix);
    }
    if (!update.announced.empty()) {
        demand(types.contains(1) && types.contains(2), "a mandatory attribute is missing");
        demand(types.contains(nlri.empty() ? 14 : 3), "the next hop is missing");
    }
    if (!has_attributes && withdrawn.empty() && nlri.empty()) {
        update.end_of_rib = Family::Ipv4;
    }
    return update;
}

std::vector<test::raw::Message> Framer::take(std::span<const std::uint8_t> octets) {
    rest_.insert(rest_.end(), octets.begin(), octets.end());
    const auto used = std::min<std::size_t>(16, rest_.size());
    demand(std::ranges::all_of(std::span(rest_).first(used), [](auto o) { return o == 0xff; }),
           "marker");
    auto messages = test::raw::split(rest_);
    rest_.clear();
    for (const test::raw::Message& message : messages) {
        demand(message.type <= 5, "message type");
    }
    if (!messages.empty() && messages.back().type == 0) {
        rest_ = std::move(messages.back().body);
        messages.pop_back();
        if (rest_.size() >= 18) {
            const std::size_t length = rest_[16] * std::size_t{256} + rest_[17];
            demand(length >= 19 && length <= 4096, "message length");
        }
    }
    return messages;
}

} // namespace anyvip::sim
