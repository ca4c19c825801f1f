// SPDX-License-Identifier: Apache-2.0
// The sockets of one peer: turns readiness into inputs of bgp::Peer and its actions into system
// calls.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include "bgp/net/file_descriptor.hpp"
#include "bgp/net/net_config.hpp"
#include "bgp/session/peer.hpp"

namespace anyvip::bgp::net {

/// One turn: an event of a socket is fed to the Peer, then `on_turn` runs, in which the owner
/// settles, calls `drain`, takes the Peer's events and re-arms its one timer for all deadlines.
/// The owner's own turns (a deadline, a check, a command) end in `drain` too.
class PeerDriver {
  public:
    /// `peer` outlives the driver. `on_turn` may destroy it.
    PeerDriver(boost::asio::io_context& io,
               Peer& peer,
               NetConfig config,
               std::set<IpAddress> vips,
               std::function<void()> on_turn);

    /// Closes the sockets; graceful closes that have begun go on by themselves.
    ~PeerDriver();
    PeerDriver(const PeerDriver&) = delete;
    PeerDriver& operator=(const PeerDriver&) = delete;

    /// Executes the Peer's actions and writes its output as far as the kernel takes it at once;
    /// the rest when the socket is writable. Never calls `on_turn`. Returns whether the Peer was
    /// told anything new (octets sent, octets acknowledged), that is whether to settle again.
    bool drain();

    /// To be called before `Peer::tick`: reads what has arrived (one buffer) and reports what is
    /// acknowledged, so that a starved process does not take its own silence for the peer's.
    void look();

    /// Takes over an accepted connection from this peer's address. Not wanted now: it is closed,
    /// with Cease/5 when the peer is administratively down (RFC 4486 §4); when the Peer defers it,
    /// it waits for a `drain` in which it is accepted. Returns whether the Peer has it; `on_turn`
    /// has run then, and also when it was not wanted.
    bool adopt(FileDescriptor socket);

    /// An accepted connection that is not taken for this reason: it is told to the operator. May
    /// run `on_turn`.
    void refuse(std::string_view why);

    /// For the next sockets; connections stay. A change that must reset them is the owner's
    /// business (`Peer::reset`).
    void reconfigure(NetConfig config);
    void set_vips(std::set<IpAddress> vips);

    [[nodiscard]] const NetConfig& config() const;

    /// Why this peer is refused on this host: no TCP-AO in the kernel, key file unreadable or
    /// writable by others, behind a gateway without `multihop`. Looked at anew with each attempt.
    /// Empty: fine.
    [[nodiscard]] std::string transport_problem() const;

    /// No graceful close is under way; at a stop the owner waits for it (at most 1 s).
    [[nodiscard]] bool is_quiet() const;

    // ---- upgrade in place ----
    /// The socket of a connection; -1: none. It stays the driver's.
    [[nodiscard]] int descriptor(Slot slot) const;
    /// A connection that the Peer has already, taken over from a predecessor.
    void take_over(Slot slot, FileDescriptor socket);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace anyvip::bgp::net
