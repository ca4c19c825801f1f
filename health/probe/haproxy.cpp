// SPDX-License-Identifier: Apache-2.0
// haproxy: asks the stats socket how many servers of each backend are up.
#include <utility>

#include <boost/asio/error.hpp>

#include "health/probe/channel.hpp"
#include "health/probe/haproxy_stats.hpp"
#include "health/probe/run.hpp"

namespace anyvip::health {

namespace {

constexpr std::size_t answer_limit_octets = 4U << 20U;

/// All proxies, of them the servers, of those all: a fraction of the whole table.
constexpr std::string_view question = "show stat -1 4 -1\n";

class HaproxyRun : public Run {
  public:
    HaproxyRun(const HaproxyTarget& target, RunContext& context)
        : Run(context), channel_(context.io), target_(target) {}

  private:
    void begin() override {
        const auto unix_socket =
            target_.socket.starts_with("unix:") ? target_.socket : "unix:" + target_.socket;
        channel_.async_connect(
            *parse_host_port(unix_socket, 0), connecting({}), [self = self()](Failure failure) {
                if (self->is_over()) {
                    return;
                }
                if (failure) {
                    self->finish(std::move(*failure));
                } else {
                    self->ask();
                }
            });
    }

    void close() override { channel_.close(Closing::InOrder); }

    void ask() {
        enter("show stat");
        channel_.async_write(question, [self = self()](std::error_code error) {
            if (self->is_over()) {
                return;
            }
            if (error) {
                self->fail("show stat: " + error.message());
            } else {
                self->read();
            }
        });
    }

    void read() {
        channel_.async_read([self = self()](std::error_code error, std::string_view octets) {
            if (self->is_over()) {
                return;
            }
            self->answer_ += octets;
            if (error == boost::system::error_code(boost::asio::error::eof)) {
                self->judge();
            } else if (error) {
                self->fail("show stat: " + error.message());
            } else if (self->answer_.size() > answer_limit_octets) {
                self->fail("show stat: more than 4 MiB");
            } else {
                self->read();
            }
        });
    }

    void judge() {
        const auto stats = parse_haproxy_stats(answer_);
        if (!stats) {
            fail("show stat: not an answer of HAProxy: " + printable(answer_, 60));
            return;
        }
        if (!is_whole_haproxy_answer(answer_)) {
            fail("show stat: the answer is cut off after " + std::to_string(answer_.size()) +
                 " octets");
            return;
        }
        ServerCount sum;
        std::string detail;
        bool is_enough = true;
        const auto add = [&](std::string_view backend, ServerCount count) {
            sum.up += count.up;
            sum.all += count.all;
            is_enough = is_enough && count.up >= target_.min_up;
            detail += (detail.empty() ? "" : ", ") + std::string(backend) + " " +
                      std::to_string(count.up) + "/" + std::to_string(count.all) + " up";
        };
        for (const std::string& backend : target_.backends) {
            const auto found = stats->find(backend);
            if (found == stats->end()) {
                fail("no backend " + backend + " with servers");
                return;
            }
            add(backend, found->second);
        }
        if (!is_enough) {
            fail(detail + ", wanted " + std::to_string(target_.min_up));
            return;
        }
        Result result{.outcome = Outcome::Pass, .detail = std::move(detail)};
        if (sum.all > 0) {
            // Rounded up: one server of a thousand is little, but not nothing.
            result.weight = (sum.up * 100 + sum.all - 1) / sum.all;
        }
        finish(std::move(result));
    }

    std::shared_ptr<HaproxyRun> self() {
        return std::static_pointer_cast<HaproxyRun>(shared_from_this());
    }

    Channel channel_;
    HaproxyTarget target_;
    std::string answer_;
};

} // namespace

RunPointer make_run(const HaproxyTarget& target, RunContext context) {
    return std::make_shared<HaproxyRun>(target, context);
}

} // namespace anyvip::health
