// SPDX-License-Identifier: Apache-2.0
// Router Advertisements and Solicitations of unnumbered links.
#include "bgp/net/neighbour_discovery.hpp"

#include <doctest/doctest.h>

using namespace anyvip;
using namespace anyvip::bgp::net;
using namespace std::chrono_literals;

namespace {

using Octets = std::vector<std::uint8_t>;

const IpAddress router = *IpAddress::parse("fe80::1");
const MacAddress mac{2, 0, 0, 0, 0, 1};

// clang-format off
const Octets advertisement{
    134, 0,       // type, code
    0x12, 0x34,   // checksum, verified by the kernel
    64,           // hop limit
    0,            // flags
    0x07, 0x08,   // router lifetime 1800 s
    0, 0, 0, 0,   // reachable time
    0, 0, 0, 0,   // retransmission timer
    1, 1, 2, 0, 0, 0, 0, 1, // source link-layer address
};
// clang-format on

std::optional<std::chrono::seconds>
lifetime_of(const Octets& octets, const IpAddress& source = router, int hop_limit = 255) {
    return router_lifetime({source, hop_limit, octets});
}

} // namespace

TEST_CASE("RFC 4861 §6.1.2: a valid advertisement is known by its router lifetime, 0 included") {
    CHECK(lifetime_of(advertisement) == 1800s);
    CHECK(lifetime_of(router_advertisement(std::nullopt)) == 0s);
    CHECK(lifetime_of(router_advertisement(mac)) == 0s);
}

TEST_CASE("RFC 4861 §6.1.2: forwarded, not link-local, other or cut messages are ignored") {
    CHECK_FALSE(lifetime_of(advertisement, router, 254));
    CHECK_FALSE(lifetime_of(advertisement, *IpAddress::parse("2001:db8::1")));
    CHECK_FALSE(lifetime_of(advertisement, *IpAddress::parse("169.254.0.1")));
    for (std::size_t length = 0; length < advertisement.size(); ++length) {
        const Octets cut(advertisement.begin(),
                         advertisement.begin() + static_cast<std::ptrdiff_t>(length));
        CHECK(lifetime_of(cut).has_value() == (length == 16));
    }
    Octets code = advertisement;
    code[1] = 1;
    CHECK_FALSE(lifetime_of(code));
    Octets type = advertisement;
    type[0] = 136;
    CHECK_FALSE(lifetime_of(type));
}

TEST_CASE("RFC 4861 §4.6: an option of length 0 makes the message invalid") {
    Octets octets = advertisement;
    octets[17] = 0;
    CHECK_FALSE(lifetime_of(octets));
}

TEST_CASE("our advertisement has router lifetime 0 and our link-layer address") {
    CHECK(router_advertisement(mac) ==
          Octets{134, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 1});
}

TEST_CASE("RFC 4861 §6.1.1: a solicitation is recognised, also from the unspecified address") {
    const Octets octets = router_solicitation(mac);
    CHECK(octets == Octets{133, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 1});
    CHECK(is_router_solicitation({IpAddress::v6({}), 255, octets}));
    CHECK_FALSE(is_router_solicitation({router, 64, octets}));
    CHECK_FALSE(is_router_solicitation({router, 255, advertisement}));
}
