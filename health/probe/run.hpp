// SPDX-License-Identifier: Apache-2.0
// What all probes share: the deadline, the notion of being late, and ending exactly once.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include <boost/asio/steady_timer.hpp>

#include "health/probe/connect.hpp"
#include "health/probe/probe.hpp"

namespace anyvip::health {

/// What a type's factory gets. `check` lives only during the call: copy what the run needs.
struct RunContext {
    boost::asio::io_context& io;
    const CheckConfig& check;
    ProbeDone done;
};

/// One run in progress; kept alive by its own pending operations. Every handler of a derived class
/// captures `shared_from_this()` and returns at once when `is_over()`.
class Run : public std::enable_shared_from_this<Run> {
  public:
    explicit Run(RunContext& context);
    virtual ~Run() = default;
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    void start();
    /// No call of `done` any more; everything is closed.
    void cancel();

  protected:
    /// Starts the work. May already call `finish`.
    virtual void begin() = 0;
    /// Closes what is open. Called once, before `done`, or at `cancel`.
    virtual void close() = 0;
    /// At the timeout, before `close`: the result; by default "LAYER timeout after 1.0 s".
    [[nodiscard]] virtual Result timed_out();

    /// Ends the run; later calls are ignored. Fills in `took` and `is_late`.
    void finish(Result result);
    void pass(std::string detail);
    void fail(std::string detail);
    /// A system call failed that says something about us or the host, not about the service.
    void fail_to_run(std::string_view what, std::error_code error);

    /// For the channel's `async_connect`: the layer is "resolve" until the first attempt, then
    /// "connect"; nothing is done any more when the run is over. What the name of the host waited
    /// for others is ours, as lag is.
    [[nodiscard]] Connecting connecting(const std::string& host);

    /// The layer that is waited for from now on; a literal.
    void enter(std::string_view layer) { layer_ = layer; }

    [[nodiscard]] std::string_view layer() const { return layer_; }

    [[nodiscard]] bool is_over() const { return is_over_; }

    [[nodiscard]] boost::asio::io_context& io() { return io_; }

    /// "timeout after 1.0 s"
    [[nodiscard]] std::string timeout_text() const;

  private:
    void arm();
    void on_timer();
    void leave_resolve();
    void report(Result result);
    [[nodiscard]] bool is_late(Duration took) const;

    boost::asio::io_context& io_;
    boost::asio::steady_timer timer_;
    Duration timeout_;
    ProbeDone done_;
    std::string_view layer_ = "start";
    std::string host_; // while the layer is "resolve"
    Instant began_;
    Duration lag_{}; // how late our own timers and look-ups were during this run
    bool is_starting_ = false;
    bool is_over_ = false;
};

/// Descriptors, memory or processes are used up: our own fault, not the service's.
[[nodiscard]] bool is_exhaustion(const std::error_code& error);

/// Printable, one line, at most `limit` characters: what a service sent, fit for a log.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit);

/// "1.0 s", "0.25 s"
[[nodiscard]] std::string in_seconds(Duration duration);

using RunPointer = std::shared_ptr<Run>;

// One factory a type, each in its own file.
[[nodiscard]] RunPointer make_run(const TcpTarget& target, RunContext context);
[[nodiscard]] RunPointer make_run(const TlsTarget& target, RunContext context);
[[nodiscard]] RunPointer make_run(const HttpTarget& target, RunContext context);
[[nodiscard]] RunPointer make_run(const DnsTarget& target, RunContext context);
[[nodiscard]] RunPointer make_run(const ExecTarget& target, RunContext context);
[[nodiscard]] RunPointer make_run(const HaproxyTarget& target, RunContext context);
[[nodiscard]] RunPointer make_run(const ProcessTarget& target, RunContext context);
[[nodiscard]] RunPointer make_run(const FileTarget& target, RunContext context);

} // namespace anyvip::health
