// SPDX-License-Identifier: Apache-2.0
// The BFD thread: one loop over the sockets and the deadlines of the engine. It shares nothing with
// the rest of the program but two queues, and allocates nothing while it runs.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "bgp/bfd/engine.hpp"
#include "bgp/bfd_net/messages.hpp"
#include "bgp/bfd_net/sockets.hpp"
#include "bgp/net/file_descriptor.hpp"

namespace anyvip::bgp::bfd_net {

/// Between the two threads. The descriptors are eventfds that say "look into the queue".
struct Channel {
    Commands commands;
    Reports reports;
    net::FileDescriptor commands_written;
    net::FileDescriptor reports_written;
};

class Worker {
  public:
    Worker(Channel& channel, std::uint64_t seed);

    /// Until `Quit` or `Pause`; after that it may be called again.
    void run();

    // ---- upgrade in place, while nobody runs it ----
    [[nodiscard]] const bfd::Engine& engine() const { return engine_; }

    /// Sockets, sessions and schedule.
    template <class Archive> void transfer(Archive& archive) {
        if constexpr (!Archive::is_loading) {
            take_commands(); // what the main loop has just said
        }
        archive.field(1, engine_);
        archive.field(2, slots_);
        std::uint8_t tag = 3;
        for (Receiver& receiver : receivers_) {
            transfer_socket(archive, tag++, receiver.socket);
        }
        archive.field(7, next_port_);
        if constexpr (Archive::is_loading) {
            slots_.reserve(limits::bfd_sessions);
            for (const Slot& slot : slots_) {
                archive.require(engine_.find(slot.id) != nullptr, "a BFD socket without session");
            }
            open_again_at_ = Instant{}; // a port that was busy is asked for at once
        }
    }

  private:
    template <class Archive>
    static void transfer_socket(Archive& archive, std::uint8_t tag, net::FileDescriptor& socket) {
        int number = socket.get();
        archive.descriptor(tag, number);
        if constexpr (Archive::is_loading) {
            socket = net::FileDescriptor(number);
        }
    }

    /// What the system has of a session.
    struct Slot {
        std::uint32_t id = 0;
        Endpoint endpoint;
        Sender sender;
        Unreported unreported;
        bool is_news = false;
        Obstacle obstacle = Obstacle::None;
        int error = 0;
        Instant reported_at;

        /// The main loop is told anew.
        template <class Archive> void transfer(Archive& archive) {
            archive.field(1, id);
            archive.field(2, endpoint);
            transfer_socket(archive, 3, sender.socket);
            archive.field(4, sender.port);
            archive.field(5, sender.interface);
            archive.choice(6, obstacle, Obstacle::NoPlace);
            archive.field(7, error);
            if constexpr (Archive::is_loading) {
                is_news = true;
            }
        }
    };

    struct Receiver {
        Family family;
        bool is_multihop;
        net::FileDescriptor socket;
    };

    void take_commands();
    void execute(const Command& command, Instant now);
    void read_sockets();
    void meet_deadlines();
    void act(const bfd::Outcome& outcome, Instant now);
    void transmit(Slot& slot, const bfd::Packet& packet);
    void open_receivers(Instant now);
    void set_obstacle(Slot& slot, Obstacle obstacle, int error);
    void report_news(Instant now);
    [[nodiscard]] bool report(Slot& slot, bool is_removed, Instant now);
    void wait();
    [[nodiscard]] Slot* find(std::uint32_t id);

    Channel& channel_;
    bfd::Engine engine_;
    std::vector<Slot> slots_; // reserved once
    std::array<Receiver, 4> receivers_{{{Family::Ipv4, false, {}},
                                        {Family::Ipv4, true, {}},
                                        {Family::Ipv6, false, {}},
                                        {Family::Ipv6, true, {}}}};
    std::optional<Instant> open_again_at_;
    std::uint16_t next_port_ = first_source_port;
    bool has_reported_ = false;
    bool is_over_ = false;
};

} // namespace anyvip::bgp::bfd_net
