// SPDX-License-Identifier: Apache-2.0
// All keys, by asking the parser itself: it notes each key that it looks for.
#include "cmd/config/config.hpp"
#include "cmd/config/sections.hpp"

namespace anyvip::cmd {

std::vector<std::string> known_keys() {
    ReadContext context{.host = real_host(), .problems = {}, .known_keys = {}};
    const Table empty;
    Config config;
    AddressUses used;
    const auto section = [&](std::string_view label) {
        return Section{.label = std::string(label), .where = {}, .own = &empty};
    };
    read_node(context, section("[node]"), config.node);
    read_daemon(context, section("[daemon]"), config.daemon);
    read_drain(context, section("[drain]"), config.drain);
    static_cast<void>(read_hook(context, section("[[hook]]")));
    // The inner tables are looked into only when they are there.
    const Table tables{
        .entries = {{.key = "bfd", .where = {}, .value = {.where = {}, .data = empty}},
                    {.key = "tcp_ao", .where = {}, .value = {.where = {}, .data = empty}}}};
    Section peer = section("[[peer]]");
    peer.own = &tables;
    static_cast<void>(read_peer(context, peer, config.node));
    static_cast<void>(read_check(context, section("[[check]]")));
    static_cast<void>(read_vip(context, section("[[vip]]"), config, used));
    for (const std::string_view type : check_types) {
        TableReader reader(context, "[[check]]", {}, empty);
        static_cast<void>(read_target(reader, type));
    }
    return {context.known_keys.begin(), context.known_keys.end()};
}

} // namespace anyvip::cmd
