// SPDX-License-Identifier: Apache-2.0
// The words of the configuration that stand for values: read by the parser, written by the dump.
#pragma once

#include "cmd/config/convert.hpp"

namespace anyvip::cmd {

inline const Choice<LogLevel> log_levels{{{"error", LogLevel::Error},
                                          {"warning", LogLevel::Warning},
                                          {"info", LogLevel::Info},
                                          {"debug", LogLevel::Debug}}};
inline const Choice<LogFormat> log_formats{{{"text", LogFormat::Text}, {"json", LogFormat::Json}}};
inline const Choice<vip::KeepLast> keep_last_words{{{"auto", vip::KeepLast::Auto},
                                                    {"always", vip::KeepLast::Always},
                                                    {"never", vip::KeepLast::Never}}};
inline const Choice<vip::AddressPolicy> address_policies{
    {{"hold", vip::AddressPolicy::Hold},
     {"follow", vip::AddressPolicy::Follow},
     {"external", vip::AddressPolicy::External}}};
inline const Choice<vip::OnDown> on_down_words{
    {{"withdraw", vip::OnDown::Withdraw}, {"backup", vip::OnDown::Backup}}};
inline const Choice<bgp::LinkLocalNextHop> link_local_next_hops{
    {{"auto", bgp::LinkLocalNextHop::Auto},
     {"never", bgp::LinkLocalNextHop::Never},
     {"always", bgp::LinkLocalNextHop::Always}}};
/// RFC 9234 §4.1
inline const Choice<std::optional<std::uint8_t>> roles{{{"", std::nullopt},
                                                        {"provider", std::uint8_t{0}},
                                                        {"rs", std::uint8_t{1}},
                                                        {"rs-client", std::uint8_t{2}},
                                                        {"customer", std::uint8_t{3}},
                                                        {"peer", std::uint8_t{4}}}};
inline const Choice<Family> families{{{"ipv4", Family::Ipv4}, {"ipv6", Family::Ipv6}}};
inline const Choice<health::Scope> scopes{
    {{"local", health::Scope::Local}, {"shared", health::Scope::Shared}}};

/// What a dump prints in the place of a password.
inline constexpr std::string_view hidden_secret = "********";

} // namespace anyvip::cmd
