// SPDX-License-Identifier: Apache-2.0
// TCP sockets towards one peer, with every option it needs in place before the first segment.
#include "bgp/net/peer_socket.hpp"

#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "bgp/net/secret.hpp"
#include "bgp/net/socket_options.hpp"

namespace anyvip::bgp::net {
namespace {

std::string describe(std::string_view what, std::error_code error) {
    return std::string(what) + ": " + error.message();
}

std::error_code last_error() {
    return {errno, std::system_category()};
}

std::expected<void, std::string>
bind_source(int socket, const NetConfig& config, const SocketAddress& remote) {
    if (!config.local_address) {
        return {};
    }
    std::error_code error = set_bind_address_no_port(socket);
    const std::uint32_t scope = config.local_address->is_link_local() ? remote.scope : 0;
    const RawSocketAddress local = to_raw({*config.local_address, scope, 0});
    if (!error && ::bind(socket, local.get(), local.length) != 0) {
        error = last_error();
    }
    if (error) {
        const std::string what = "local_address " + anyvip::to_string(*config.local_address);
        return std::unexpected(describe(what, error));
    }
    return {};
}

} // namespace

std::expected<void, std::string> set_options(int socket,
                                             const NetConfig& config,
                                             Family family,
                                             std::chrono::milliseconds user_timeout) {
    using Step = std::pair<std::string_view, std::error_code>;
    for (const auto& [what, error] :
         {Step{"transmit TTL", set_transmit_ttl(socket, family)},
          Step{"ttl_security", set_ttl_security(socket, family, config.ttl_security)},
          Step{"traffic class", set_network_control(socket, family)},
          Step{"TCP_NODELAY", set_no_delay(socket)},
          Step{"TCP_USER_TIMEOUT", set_user_timeout(socket, user_timeout)}}) {
        if (error) {
            return std::unexpected(describe(what, error));
        }
    }
    return {};
}

std::expected<SocketAddress, std::string> remote_address(const NetConfig& config) {
    if (!config.address) {
        return std::unexpected("no router advertisement on " + config.scope + " yet");
    }
    SocketAddress remote{*config.address, 0, config.port};
    if (remote.address.is_v6() && remote.address.is_link_local()) {
        remote.scope = ::if_nametoindex(config.scope.c_str());
        if (remote.scope == 0) {
            return std::unexpected("no interface \"" + config.scope + "\"");
        }
    }
    return remote;
}

std::expected<void, std::string>
authenticate(int socket, const NetConfig& config, const IpAddress& peer, std::string_view key) {
    std::error_code error;
    if (config.tcp_ao) {
        error = set_tcp_ao_key(socket, peer, *config.tcp_ao, key);
        if (error == std::errc::no_protocol_option) {
            return std::unexpected("tcp_ao: this kernel has no TCP-AO (ENOPROTOOPT; it takes Linux "
                                   "6.7 with CONFIG_TCP_AO)");
        }
    } else if (!key.empty()) {
        error = set_md5_key(socket, peer, key);
    }
    if (error) {
        return std::unexpected(describe(config.tcp_ao ? "tcp_ao" : "TCP MD5 password", error));
    }
    return {};
}

std::expected<FileDescriptor, std::string> start_connect(const NetConfig& config,
                                                         std::chrono::milliseconds user_timeout) {
    const auto remote = remote_address(config);
    if (!remote) {
        return std::unexpected(remote.error());
    }
    const auto key = current_key(config);
    if (!key) {
        return std::unexpected(key.error());
    }
    const Family family = remote->address.family();
    FileDescriptor socket(
        ::socket(domain_of(family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.is_open()) {
        return std::unexpected(describe("socket", last_error()));
    }
    auto ready = set_options(socket.get(), config, family, user_timeout);
    if (ready) {
        ready = authenticate(socket.get(), config, remote->address, *key);
    }
    if (ready) {
        ready = bind_source(socket.get(), config, *remote);
    }
    if (!ready) {
        return std::unexpected(ready.error());
    }
    const RawSocketAddress raw = to_raw(*remote);
    if (::connect(socket.get(), raw.get(), raw.length) != 0 && errno != EINPROGRESS) {
        return std::unexpected(describe("connect to " + to_string(*remote), last_error()));
    }
    return socket;
}

std::string find_transport_problem(const NetConfig& config) {
    const auto key = current_key(config);
    if (!key) {
        return key.error();
    }
    if (!config.tcp_ao || !config.address) {
        return {};
    }
    const FileDescriptor probe(
        ::socket(domain_of(config.address->family()), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto accepted = authenticate(probe.get(), config, *config.address, *key);
    return accepted ? std::string{} : accepted.error();
}

} // namespace anyvip::bgp::net
