// SPDX-License-Identifier: Apache-2.0
#include "health/probe/run.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <boost/asio/post.hpp>

#include "health/probe/resolver.hpp"

namespace anyvip::health {

namespace {

/// The deadline is waited for in slices: a slice that ends late shows that we were starved, at
/// whatever moment of the run that was. A run that ends soon, as nearly all do, sees none of them.
constexpr int slices = 8;
constexpr std::chrono::milliseconds least_slice{20};

/// Less lag than this is the ordinary noise of a busy host.
constexpr std::chrono::milliseconds tolerated_lag{50};

constexpr std::string_view resolve_layer = "resolve";

class Handle : public Probe {
  public:
    explicit Handle(RunPointer run) : run_(std::move(run)) {}

    ~Handle() override { run_->cancel(); }

  private:
    RunPointer run_;
};

} // namespace

std::unique_ptr<Probe>
make_probe(boost::asio::io_context& io, const CheckConfig& check, ProbeDone done) {
    RunContext context{io, check, std::move(done)};
    RunPointer run = std::visit(
        [&](const auto& target) { return make_run(target, std::move(context)); }, check.target);
    run->start();
    return std::make_unique<Handle>(std::move(run));
}

Run::Run(RunContext& context)
    : io_(context.io), timer_(context.io), timeout_(context.check.schedule.timeout),
      done_(std::move(context.done)) {}

void Run::start() {
    began_ = std::chrono::steady_clock::now();
    is_starting_ = true;
    begin();
    is_starting_ = false;
    if (!is_over_) {
        arm();
    }
}

void Run::cancel() {
    done_ = nullptr;
    if (!std::exchange(is_over_, true)) {
        timer_.cancel();
        close();
    }
}

Result Run::timed_out() {
    std::string detail(layer_);
    detail.append(" ").append(timeout_text());
    return {.outcome = Outcome::Timeout, .detail = std::move(detail)};
}

void Run::finish(Result result) {
    if (std::exchange(is_over_, true)) {
        return;
    }
    result.took = std::chrono::steady_clock::now() - began_;
    result.is_late = result.is_late || is_late(result.took);
    timer_.cancel();
    close();
    if (!is_starting_) {
        report(std::move(result));
        return;
    }
    // The caller of make_probe does not have its Probe yet.
    boost::asio::post(io_, [self = shared_from_this(), result = std::move(result)]() mutable {
        self->report(std::move(result));
    });
}

void Run::pass(std::string detail) {
    finish({.outcome = Outcome::Pass, .detail = std::move(detail)});
}

void Run::fail(std::string detail) {
    finish({.outcome = Outcome::Fail, .detail = std::move(detail)});
}

void Run::fail_to_run(std::string_view what, std::error_code error) {
    std::string detail(what);
    detail.append(": ").append(error.message());
    finish({.outcome = Outcome::Error,
            .detail = std::move(detail),
            .is_our_fault = is_exhaustion(error)});
}

std::string Run::timeout_text() const {
    return "timeout after " + in_seconds(timeout_);
}

Connecting Run::connecting(const std::string& host) {
    enter(resolve_layer);
    host_ = host;
    return {[self = shared_from_this()] { return !self->is_over(); },
            [self = shared_from_this()] {
                self->leave_resolve();
                self->enter("connect");
            }};
}

void Run::leave_resolve() {
    if (layer_ == resolve_layer) {
        lag_ += Resolver::of(io_).held_up(host_, began_);
    }
}

void Run::arm() {
    const Duration slice = std::max<Duration>(timeout_ / slices, least_slice);
    const Instant now = std::chrono::steady_clock::now();
    timer_.expires_at(std::min(began_ + timeout_, now + slice));
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        if (!error && !self->is_over()) {
            self->on_timer();
        }
    });
}

void Run::on_timer() {
    const Instant now = std::chrono::steady_clock::now();
    lag_ += now - timer_.expiry();
    if (now < began_ + timeout_) {
        arm();
        return;
    }
    leave_resolve();
    finish(timed_out());
}

void Run::report(Result result) {
    if (const ProbeDone done = std::exchange(done_, nullptr)) {
        done(std::move(result));
    }
}

bool Run::is_late(Duration took) const {
    const Duration tolerated = std::max<Duration>(timeout_ / 4, tolerated_lag);
    return lag_ > tolerated || took > timeout_ + tolerated;
}

bool is_exhaustion(const std::error_code& error) {
    static constexpr std::array exhausted{
        EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN, EADDRNOTAVAIL, ENOSPC};
    return std::ranges::find(exhausted, error.value()) != exhausted.end();
}

std::string printable(std::string_view text, std::size_t limit) {
    std::string line;
    for (const char character : text.substr(0, limit)) {
        const bool is_plain = character >= 0x20 && character < 0x7F;
        line.push_back(is_plain ? character : '.');
    }
    if (text.size() > limit) {
        line += "...";
    }
    return line;
}

std::string in_seconds(Duration duration) {
    const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3f", static_cast<double>(count) / 1000.0);
    std::string result(text.data());
    while (result.ends_with("0") && !result.ends_with(".0")) {
        result.pop_back();
    }
    return result + " s";
}

} // namespace anyvip::health
