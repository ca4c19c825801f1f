// SPDX-License-Identifier: Apache-2.0
// Listening sockets for the configured peers.
#include "bgp/net/listener.hpp"

#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <boost/asio/steady_timer.hpp>

#include "bgp/limits.hpp"
#include "bgp/net/descriptor.hpp"
#include "bgp/net/peer_socket.hpp"
#include "bgp/net/secret.hpp"
#include "bgp/net/socket_address.hpp"
#include "bgp/net/socket_options.hpp"

namespace anyvip::bgp::net {
namespace {

using std::chrono::milliseconds;

std::error_code last_error() {
    return {errno, std::system_category()};
}

bool is_shortage(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

bool is_from(const PeerDriver& driver, const SocketAddress& remote) {
    const NetConfig& config = driver.config();
    return config.address == remote.address &&
           (remote.scope == 0 || remote.scope == ::if_nametoindex(config.scope.c_str()));
}

/// RFC 5082 §3, for a peer whose listening socket serves others with more hops, too: what came
/// before its own limit is on the accepted socket has passed theirs. Nobody far away can have
/// opened a connection whose SYN came near enough.
bool is_near(int accepted, const NetConfig& config) {
    const auto ttl = take_syn_ttl(accepted, config.address->family());
    return ttl && *ttl >= 256 - config.ttl_security;
}

} // namespace

/// One listening socket.
class Listeners::Listener : public std::enable_shared_from_this<Listener> {
  public:
    Listener(boost::asio::io_context& io, std::uint16_t port, Family family, Report report)
        : port_(port), family_(family), report_(std::move(report)), socket_(io), timer_(io) {}

    [[nodiscard]] bool serves(std::uint16_t port, Family family) const {
        return port_ == port && family_ == family;
    }

    /// Opens the socket if it is not, and makes it fit these peers.
    void update(std::vector<PeerDriver*> drivers, std::vector<ListenProblem>& problems);

    [[nodiscard]] OpenListener describe();
    void take_over(FileDescriptor socket, std::map<IpAddress, ListenerKey> keys);

    /// Nothing is accepted any more, and no driver touched.
    void stop();

  private:
    using Keys = std::map<IpAddress, ListenerKey>;

    [[nodiscard]] std::error_code open();
    void update_keys(std::vector<ListenProblem>& problems);
    void remove_former_keys(const Keys& wanted);
    [[nodiscard]] std::uint8_t common_ttl_security() const;
    /// What this socket lets pass may be too far away for this peer.
    [[nodiscard]] bool is_looser_than(const NetConfig& config) const;
    void wait();
    void pause(milliseconds duration);
    void accept_some();
    void deliver(FileDescriptor accepted, const SocketAddress& remote);

    std::uint16_t port_;
    Family family_;
    Report report_;
    Descriptor socket_;
    boost::asio::steady_timer timer_;
    std::vector<PeerDriver*> drivers_;
    Keys keys_; ///< on the socket
    bool is_short_ = false;
};

Listeners::Listeners(boost::asio::io_context& io, Report report)
    : io_(io), report_(std::move(report)) {}

Listeners::~Listeners() {
    for (const auto& listener : listeners_) {
        listener->stop();
    }
}

std::vector<ListenProblem> Listeners::update(const std::vector<PeerDriver*>& drivers) {
    std::vector<ListenProblem> problems;
    std::vector<std::shared_ptr<Listener>> wanted;
    std::set<std::pair<std::uint16_t, Family>> places;
    for (const PeerDriver* driver : drivers) {
        if (driver->config().listen_port != 0 && driver->config().address) {
            places.emplace(driver->config().listen_port, driver->config().address->family());
        }
    }
    for (const auto& place : places) {
        const auto [port, family] = place;
        const auto found = std::ranges::find_if(listeners_, [&place](const auto& listener) {
            return listener->serves(place.first, place.second);
        });
        wanted.push_back(found != listeners_.end()
                             ? *found
                             : std::make_shared<Listener>(io_, port, family, report_));
    }
    for (const auto& listener : listeners_) {
        if (std::ranges::find(wanted, listener) == wanted.end()) {
            listener->stop();
        }
    }
    listeners_ = std::move(wanted);
    for (const auto& listener : listeners_) {
        std::vector<PeerDriver*> served;
        std::ranges::copy_if(drivers, std::back_inserter(served), [&](const PeerDriver* driver) {
            const NetConfig& config = driver->config();
            return config.address && listener->serves(config.listen_port, config.address->family());
        });
        listener->update(std::move(served), problems);
    }
    return problems;
}

std::vector<OpenListener> Listeners::open() const {
    std::vector<OpenListener> sockets;
    for (const auto& listener : listeners_) {
        if (OpenListener one = listener->describe(); one.descriptor >= 0) {
            sockets.push_back(std::move(one));
        }
    }
    return sockets;
}

void Listeners::take_over(const std::vector<OpenListener>& listeners) {
    for (const OpenListener& one : listeners) {
        listeners_.push_back(std::make_shared<Listener>(io_, one.port, one.family, report_));
        listeners_.back()->take_over(FileDescriptor(one.descriptor), one.keys);
    }
}

OpenListener Listeners::Listener::describe() {
    return {port_, family_, socket_.is_open() ? socket_.native_handle() : -1, keys_};
}

void Listeners::Listener::take_over(FileDescriptor socket, std::map<IpAddress, ListenerKey> keys) {
    Error refused;
    socket_.assign(socket.get(), refused);
    if (!refused) {
        std::ignore = socket.release();
        keys_ = std::move(keys);
        wait();
    }
}

void Listeners::Listener::update(std::vector<PeerDriver*> drivers,
                                 std::vector<ListenProblem>& problems) {
    drivers_ = std::move(drivers);
    const bool is_new = !socket_.is_open();
    const std::string where =
        std::string(anyvip::to_string(family_)) + " port " + std::to_string(port_);
    if (is_new) {
        if (const std::error_code error = open()) {
            problems.push_back({error, "listen on " + where + ": " + error.message()});
            return;
        }
    }
    update_keys(problems);
    // The accepted socket gets its own peer's value, after `is_near`; here it must suit all of
    // them.
    std::error_code error =
        set_ttl_security(socket_.native_handle(), family_, common_ttl_security());
    if (!error && std::ranges::any_of(drivers_, [this](const PeerDriver* driver) {
            return is_looser_than(driver->config());
        })) {
        error = set_save_syn(socket_.native_handle());
    }
    if (!error && is_new && ::listen(socket_.native_handle(), limits::listen_backlog) != 0) {
        error = last_error();
    }
    if (error) {
        problems.push_back({error, "listen on " + where + ": " + error.message()});
        Error ignored;
        socket_.close(ignored);
    } else if (is_new) {
        wait();
    }
}

void Listeners::Listener::stop() {
    drivers_.clear();
    timer_.cancel();
    Error ignored;
    socket_.close(ignored);
}

std::error_code Listeners::Listener::open() {
    FileDescriptor socket(
        ::socket(domain_of(family_), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.is_open()) {
        return last_error();
    }
    const int handle = socket.get();
    std::error_code error = set_reuse_address(handle);
    if (!error && family_ == Family::Ipv6) {
        error = set_ipv6_only(handle);
    }
    if (!error) {
        error = set_transmit_ttl(handle, family_);
    }
    if (!error) {
        error = set_network_control(handle, family_);
    }
    const IpAddress wildcard = family_ == Family::Ipv4 ? IpAddress() : IpAddress::v6({});
    const RawSocketAddress raw = to_raw({wildcard, 0, port_});
    if (!error && ::bind(handle, raw.get(), raw.length) != 0) {
        error = last_error();
    }
    if (!error) {
        keys_.clear();
        Error refused;
        socket_.assign(handle, refused);
        error = refused;
    }
    if (!error) {
        std::ignore = socket.release();
    }
    return error;
}

void Listeners::Listener::update_keys(std::vector<ListenProblem>& problems) {
    Keys wanted;
    Keys firsts; // of all addresses, empty ones too
    std::vector<PeerDriver*> usable;
    const auto refuse = [&problems](const NetConfig& config, const std::string& why) {
        problems.push_back({{},
                            "peer " + anyvip::to_string(*config.address) +
                                (config.scope.empty() ? "" : "%" + config.scope) + ": " + why});
    };
    for (PeerDriver* driver : drivers_) {
        const NetConfig& config = driver->config();
        const auto key = current_key(config);
        if (!key) {
            refuse(config, key.error());
            continue;
        }
        // The kernel looks for keys by address alone; an interface it takes only for a VRF.
        const ListenerKey own{config.tcp_ao, *key};
        if (firsts.try_emplace(*config.address, own).first->second != own) {
            refuse(config, "cannot dial in, for this address has another key on another interface");
            continue;
        }
        usable.push_back(driver);
        if (!key->empty()) {
            wanted[*config.address] = own;
        }
    }
    remove_former_keys(wanted);
    // A peer whose key is not on the socket would come in without: it is unknown here.
    std::erase_if(usable, [&](const PeerDriver* driver) {
        const NetConfig& config = driver->config();
        const auto key = wanted.find(*config.address);
        const auto known = keys_.find(*config.address);
        if (key == wanted.end() || (known != keys_.end() && known->second == key->second)) {
            return false;
        }
        const auto done =
            authenticate(socket_.native_handle(), config, key->first, key->second.key);
        if (!done) {
            refuse(config, done.error());
            return true;
        }
        keys_[key->first] = key->second;
        return false;
    });
    drivers_ = std::move(usable);
}

/// An MD5 key is replaced where it is. Linux takes no second TCP-AO key with the same identifiers,
/// and neither kind beside the other.
void Listeners::Listener::remove_former_keys(const Keys& wanted) {
    const int socket = socket_.native_handle();
    std::erase_if(keys_, [&](const auto& entry) {
        const auto& [peer, former] = entry;
        const auto found = wanted.find(peer);
        if (found != wanted.end() &&
            (found->second == former || (!found->second.tcp_ao && !former.tcp_ao))) {
            return false;
        }
        // Without its peer the key only takes memory.
        std::ignore = former.tcp_ao ? remove_tcp_ao_key(socket, peer, *former.tcp_ao)
                                    : remove_md5_key(socket, peer);
        return true;
    });
}

std::uint8_t Listeners::Listener::common_ttl_security() const {
    std::uint8_t most_hops = 0;
    for (const PeerDriver* driver : drivers_) {
        if (driver->config().ttl_security == 0) {
            return 0;
        }
        most_hops = std::max(most_hops, driver->config().ttl_security);
    }
    return most_hops;
}

bool Listeners::Listener::is_looser_than(const NetConfig& config) const {
    const std::uint8_t common = common_ttl_security();
    return config.ttl_security != 0 && (common == 0 || common > config.ttl_security);
}

void Listeners::Listener::wait() {
    socket_.async_wait(Descriptor::wait_read, [weak = weak_from_this()](const Error& error) {
        const auto self = weak.lock();
        if (!error && self && self->socket_.is_open()) {
            self->accept_some();
        }
    });
}

void Listeners::Listener::pause(milliseconds duration) {
    timer_.expires_after(duration);
    timer_.async_wait([weak = weak_from_this()](const Error& error) {
        const auto self = weak.lock();
        if (!error && self && self->socket_.is_open()) {
            self->wait();
        }
    });
}

void Listeners::Listener::accept_some() {
    for (int count = 0; count < limits::accepts_at_once; ++count) {
        sockaddr_storage storage{};
        socklen_t length = sizeof storage;
        auto* raw = reinterpret_cast<sockaddr*>(&storage);
        FileDescriptor accepted(
            ::accept4(socket_.native_handle(), raw, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (accepted.is_open()) {
            is_short_ = false;
            if (const auto remote = from_raw(raw)) {
                deliver(std::move(accepted), *remote);
            }
            // An owner's turn may have ended this listener.
            if (!socket_.is_open()) {
                return;
            }
            continue;
        }
        if (is_shortage(errno)) {
            const std::error_code error = last_error();
            if (!std::exchange(is_short_, true)) {
                report_(
                    {error, "accept on port " + std::to_string(port_) + ": " + error.message()});
            }
            pause(limits::shortage_pause);
            return;
        }
        if (errno == EAGAIN) {
            wait();
            return;
        }
        // Anything else concerns one connection that died in the queue.
    }
    pause(limits::accept_pause);
}

void Listeners::Listener::deliver(FileDescriptor accepted, const SocketAddress& remote) {
    const auto driver = std::ranges::find_if(
        drivers_, [&remote](const PeerDriver* known) { return is_from(*known, remote); });
    // RFC 4271 §8.2.2 leaves it to us; an unknown address learns nothing from this port.
    if (driver == drivers_.end()) {
        return;
    }
    const NetConfig& config = (*driver)->config();
    if (is_looser_than(config) && !is_near(accepted.get(), config)) {
        (*driver)->refuse(
            "more than ttl_security hops away, or its SYN is not known (SYN cookies)");
        return;
    }
    (*driver)->adopt(std::move(accepted));
}

} // namespace anyvip::bgp::net
