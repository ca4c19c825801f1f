// SPDX-License-Identifier: Apache-2.0
// Host names of targets: resolved off the loop, and remembered, so that no probe waits for DNS
// twice and a resolver that fails later takes no service down.
#pragma once

#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>

#include "health/probe/look_up.hpp"
#include "health/result.hpp"

namespace anyvip::health {

/// The addresses are not empty.
using Resolved = std::function<void(const std::expected<Addresses, Result>&)>;

/// What an upgrade in place hands over of a name that was resolved.
struct KnownName {
    std::string host;
    std::vector<std::string> addresses;
    Instant looked_up{};

    template <class Archive> void transfer(Archive& archive) {
        archive.field(1, host);
        archive.field(2, addresses);
        archive.field(3, looked_up);
    }
};

/// One for each loop, and for its thread only. Names are looked up again after 30 s, and an old
/// answer is used for as long as there is no new one. No name waits for another one, unless
/// `LookUps::limit` of them are being looked up.
class Resolver : public boost::asio::execution_context::service {
  public:
    static boost::asio::execution_context::id id;

    /// That of the loop: made when it is first asked for.
    [[nodiscard]] static Resolver& of(boost::asio::io_context& io);
    [[nodiscard]] static Resolver& of(const boost::asio::any_io_executor& executor);

    explicit Resolver(boost::asio::io_context& io);

    /// An IP literal (with %scope), `localhost` and a remembered name answer within the call; else
    /// later from the loop. Who is no longer wanted is forgotten, with all that `then` keeps.
    void resolve(const std::string& host, std::function<bool()> is_wanted, Resolved then);

    /// How long, from `since` on, nobody could look this name up because too many others were being
    /// looked up: time that is ours and not the service's.
    [[nodiscard]] Duration held_up(const std::string& host, Instant since) const;

    /// As an answer does.
    void remember(const std::string& host, Addresses addresses);

    /// Asks somebody else than the system.
    void use(LookUp look_up) { look_ups_.use(std::move(look_up)); }

    // ---- upgrade in place ----
    [[nodiscard]] std::vector<KnownName> known() const;
    void take_over(const std::vector<KnownName>& names);

  private:
    struct Waiter {
        std::function<bool()> is_wanted;
        Resolved then;
    };

    /// A look-up may hang for ever, and runs come and go meanwhile: never more than twice those
    /// that are still wanted, and a few.
    class Waiters {
      public:
        void add(Waiter waiter);
        [[nodiscard]] std::vector<Waiter> take();

      private:
        static constexpr std::size_t few = 16;
        std::vector<Waiter> waiters_;
        std::size_t tidy_at_ = few;
    };

    struct Entry {
        Addresses addresses;
        Instant looked_up{};
        bool is_pending = false;
        Instant wanted{}; ///< the last look-up
        Instant started{};
        Waiters waiting;
    };

    void shutdown() override;
    Entry& entry_of(const std::string& host);
    void want(const std::string& host, Entry& entry);
    void start_next();
    void on_answer(const LookedUp& answer);

    boost::asio::io_context& io_;
    LookUps look_ups_;
    std::map<std::string, Entry, std::less<>> entries_;
    std::deque<std::string> queue_; ///< wait for a place
};

} // namespace anyvip::health
