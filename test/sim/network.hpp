// SPDX-License-Identifier: Apache-2.0
// TCP as two byte pipes that delay, split, coalesce, stall and break.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "test/sim/random.hpp"
#include "test/sim/scheduler.hpp"
#include "test/sim/tap.hpp"

namespace anyvip::sim {

enum class Side : std::uint8_t { Node, Router };

struct Chunk {
    Instant arrives;
    Octets octets;
    bool is_end = false;
};

/// One direction of a connection.
struct Pipe {
    std::deque<Chunk> chunks;
    std::size_t in_flight = 0; ///< written and not acknowledged
    bool has_ended = false;
};

struct Connection {
    std::uint64_t id = 0;
    std::size_t node = 0;
    std::size_t router = 0;
    bool is_dialled_by_node = false;
    std::size_t capacity = 0; ///< octets that the node's kernel takes without acknowledgement
    Pipe to_router;
    Pipe to_node;
    bool is_open_at_node = true;
    bool is_open_at_router = true;
    bool is_window_closed = false;
    bool is_disturbed = false; ///< by a fault: timers may expire
    bool is_provoked = false;  ///< the router has sent what it must not
    bool is_stalled = false;   ///< the node has octets that its kernel does not take
    Instant stalled_since;
    Tap tap;
    Framer heard_by_node;
};

using ConnectionPtr = std::shared_ptr<Connection>;

/// Where octets and ends arrive.
class Host {
  public:
    virtual ~Host() = default;
    virtual void octets_arrived(const ConnectionPtr& connection, const Octets& octets) = 0;
    virtual void end_arrived(const ConnectionPtr& connection) = 0;
    /// Stopped (SIGSTOP): nothing is read until it goes on.
    [[nodiscard]] virtual bool is_paused() const = 0;
};

class Network {
  public:
    using FindHost = std::function<Host&(const Connection&, Side)>;

    Network(Scheduler& scheduler, Random& random, FindHost find_host)
        : scheduler_(scheduler), random_(random), find_host_(std::move(find_host)) {}

    ConnectionPtr open(std::size_t node, std::size_t router, bool is_dialled_by_node);
    void write(const ConnectionPtr& connection, Side from, const Octets& octets);
    /// Closed by this side; the other learns of it after what was written before.
    void end(const ConnectionPtr& connection, Side from);
    /// This side forgets the connection without a word: it lost its memory or its power.
    static void forget(const ConnectionPtr& connection, Side side);
    /// Both sides learn at once that it is broken.
    void reset(const ConnectionPtr& connection);
    /// Nothing passes between these two until then.
    void block(std::size_t node, std::size_t router, Duration duration);
    [[nodiscard]] bool is_blocked(std::size_t node, std::size_t router) const;
    void close_window(const ConnectionPtr& connection, Duration duration);
    /// A paused host goes on.
    void resume(std::size_t node);
    /// Every pipe flows again.
    void heal();
    [[nodiscard]] Duration delay();

    [[nodiscard]] const std::vector<ConnectionPtr>& connections() const { return connections_; }

    bool has_faults = true;
    Duration most_delay{};

  private:
    void deliver(const ConnectionPtr& connection, Side to);
    void arrange(const ConnectionPtr& connection, Side to);
    [[nodiscard]] static Pipe& pipe(Connection& connection, Side to);
    [[nodiscard]] static bool& is_open(Connection& connection, Side side);

    Scheduler& scheduler_;
    Random& random_;
    FindHost find_host_;
    std::uint64_t last_id_ = 0;
    std::vector<ConnectionPtr> connections_;
    std::map<std::pair<std::size_t, std::size_t>, Instant> blocked_until_;
};

} // namespace anyvip::sim
