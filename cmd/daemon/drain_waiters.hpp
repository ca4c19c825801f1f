// SPDX-License-Identifier: Apache-2.0
// Clients that wait for a drain to end (`anyvip drain --wait`): one JSON line for each step and
// change, the outcome last.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cmd/agent/agent.hpp"
#include "cmd/daemon/handed_over.hpp"
#include "cmd/daemon/http_server.hpp"

namespace anyvip::cmd {

class DrainWaiters {
  public:
    /// Begins the stream; `vips` as in the request, empty: all. `unsaved`: why the drain is not on
    /// disk, which does not make it shorter but its end a failure; empty: it is.
    void add(const Agent& agent,
             const std::vector<std::string>& vips,
             std::string unsaved,
             std::shared_ptr<HttpResponder> responder);

    /// The same for `drain --peer`: done when the router has acknowledged the withdraw.
    void add_peer(Agent& agent,
                  const std::string& peer,
                  std::string unsaved,
                  std::shared_ptr<HttpResponder> responder);

    /// After every turn: sends what has changed, ends the streams of drains that have ended.
    void update(Agent& agent);

    // ---- upgrade in place ----
    /// The clients with what they were told last; one with octets on their way is left out.
    void hand_over(std::vector<ApiClient>& waiters, std::vector<ApiClient>& peer_waiters) const;
    void take_over(const ApiClient& client, std::shared_ptr<HttpResponder> responder);
    void take_over_peer(const ApiClient& client, std::shared_ptr<HttpResponder> responder);

  private:
    struct Waiter {
        std::vector<std::string> vips;
        std::string unsaved;
        std::shared_ptr<HttpResponder> responder;
        std::map<std::string, std::string> last_line; ///< by VIP, without the time left
        std::uint64_t fingerprint = 0;                ///< of what it was told last
    };

    struct PeerWaiter {
        std::string peer;
        std::string unsaved;
        std::shared_ptr<HttpResponder> responder;
        std::string last_step;
    };

    [[nodiscard]] static bool advance(Waiter& waiter, const Agent& agent);
    [[nodiscard]] static bool advance(PeerWaiter& waiter, Agent& agent);

    std::list<Waiter> waiters_;
    std::list<PeerWaiter> peer_waiters_;
};

} // namespace anyvip::cmd
