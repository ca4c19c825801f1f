// SPDX-License-Identifier: Apache-2.0
// A router as far as an agent's script needs one: opens, keeps alive, and has a table of what it
// was told. Reads octets by hand; shares nothing with bgp/wire.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "bgp/ip.hpp"
#include "test/support/raw_bgp.hpp"

namespace anyvip::test {

struct RouterRoute {
    bool is_graceful_shutdown = false;
    std::size_t path_length = 0;
    std::optional<float> bandwidth;
    std::set<std::uint32_t> mark_asns; ///< first part of large communities X:1:Y
    std::set<std::uint32_t> marks;     ///< last part
};

class Router {
  public:
    std::size_t asn = 65001;
    bool has_add_path = false;
    raw::Octets more_capabilities;
    std::map<std::string, RouterRoute> routes;
    std::vector<raw::Octets> opens;         ///< bodies
    std::vector<raw::Octets> notifications; ///< bodies
    std::size_t updates = 0;
    std::size_t ends_of_rib = 0;

    /// Takes what the agent sent; the answer.
    raw::Octets take(std::span<const std::uint8_t> octets) {
        stream_.insert(stream_.end(), octets.begin(), octets.end());
        raw::Octets answer;
        std::vector<raw::Message> messages = raw::split(stream_);
        stream_.clear();
        for (const raw::Message& message : messages) {
            if (message.type == 0) {
                stream_ = message.body;
            } else if (message.type == 1) {
                opens.push_back(message.body);
                raw::Octets capabilities = raw::usual_capabilities(asn);
                if (has_add_path) {
                    capabilities = raw::join({capabilities, raw::hex("45 04 0001 01 03")});
                }
                capabilities = raw::join({capabilities, more_capabilities});
                answer = raw::join({answer,
                                    raw::open({.my_as = asn, .capabilities = capabilities}),
                                    raw::keepalive()});
            } else if (message.type == 2) {
                update(message.body);
            } else if (message.type == 3) {
                notifications.push_back(message.body);
            }
        }
        return answer;
    }

    void disconnected() {
        stream_.clear();
        routes.clear();
    }

  private:
    static std::size_t u16_at(const raw::Octets& body, std::size_t at) {
        return body[at] * std::size_t{256} + body[at + 1];
    }

    static std::uint32_t u32_at(const raw::Octets& body, std::size_t at) {
        return static_cast<std::uint32_t>(u16_at(body, at) << 16U | u16_at(body, at + 2));
    }

    static std::vector<std::string>
    prefixes(const raw::Octets& body, std::size_t at, std::size_t end, std::size_t size) {
        std::vector<std::string> texts;
        while (at < end) {
            const std::uint8_t bits = body[at];
            raw::Octets address(size, 0);
            const std::size_t octets = (bits + std::size_t{7}) / 8;
            std::copy_n(
                body.begin() + static_cast<std::ptrdiff_t>(at + 1), octets, address.begin());
            texts.push_back(to_string(Prefix::of(IpAddress::from_octets(address), bits)));
            at += 1 + octets;
        }
        return texts;
    }

    void update(const raw::Octets& body) {
        ++updates;
        const std::size_t withdrawn_end = 2 + u16_at(body, 0);
        for (const std::string& prefix : prefixes(body, 2, withdrawn_end, 4)) {
            routes.erase(prefix);
        }
        const std::size_t attributes_end = withdrawn_end + 2 + u16_at(body, withdrawn_end);
        RouterRoute route;
        std::vector<std::string> announced = prefixes(body, attributes_end, body.size(), 4);
        for (std::size_t at = withdrawn_end + 2; at < attributes_end;) {
            const bool is_long = (body[at] & 0x10U) != 0;
            const std::uint8_t type = body[at + 1];
            const std::size_t length = is_long ? u16_at(body, at + 2) : body[at + 2];
            const std::size_t value = at + (is_long ? 4 : 3);
            attribute(body, type, value, length, route, announced);
            at = value + length;
        }
        if (body.size() == 4) {
            ++ends_of_rib;
            --updates;
        }
        for (const std::string& prefix : announced) {
            routes[prefix] = route;
        }
    }

    void attribute(const raw::Octets& body,
                   std::uint8_t type,
                   std::size_t at,
                   std::size_t length,
                   RouterRoute& route,
                   std::vector<std::string>& announced) {
        const std::size_t end = at + length;
        if (type == 2) {
            route.path_length = length == 0 ? 0 : body[at + 1];
        } else if (type == 8) {
            for (std::size_t i = at; i < end; i += 4) {
                route.is_graceful_shutdown =
                    route.is_graceful_shutdown || u32_at(body, i) == 0xFFFF0000;
            }
        } else if (type == 32) {
            for (std::size_t i = at; i < end; i += 12) {
                if (u32_at(body, i + 4) == 1) {
                    route.mark_asns.insert(u32_at(body, i));
                    route.marks.insert(u32_at(body, i + 8));
                }
            }
        } else if (type == 16 && u16_at(body, at) == 0x0004) {
            const std::uint32_t bits = u32_at(body, at + 4);
            float value = 0;
            static_assert(sizeof value == sizeof bits);
            std::memcpy(&value, &bits, sizeof value);
            route.bandwidth = value;
        } else if (type == 14) {
            const std::size_t nlri = at + 4 + body[at + 3] + 1;
            for (std::string& prefix : prefixes(body, nlri, end, 16)) {
                announced.push_back(std::move(prefix));
            }
        } else if (type == 15) {
            const auto withdrawn = prefixes(body, at + 3, end, 16);
            for (const std::string& prefix : withdrawn) {
                routes.erase(prefix);
            }
            if (withdrawn.empty()) {
                ++ends_of_rib;
                --updates;
            }
        }
    }

    raw::Octets stream_;
};

} // namespace anyvip::test
