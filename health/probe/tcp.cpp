// SPDX-License-Identifier: Apache-2.0
// tcp: connects; with `send` and `expect` also says and hears something.
#include <utility>

#include <boost/asio/error.hpp>

#include "health/probe/channel.hpp"
#include "health/probe/run.hpp"

namespace anyvip::health {

namespace {

/// The expected text must come within this much of the answer.
constexpr std::size_t answer_limit_octets = 65536;

class TcpRun : public Run {
  public:
    TcpRun(const TcpTarget& target, RunContext& context)
        : Run(context), channel_(context.io), target_(target.target), send_(target.send),
          expect_(target.expect) {}

  private:
    void begin() override {
        const auto address = parse_host_port(target_, 0);
        if (!address) {
            finish({.outcome = Outcome::Error, .detail = address.error()});
            return;
        }
        channel_.async_connect(
            *address,
            connecting(address->host),
            [self = self()](Failure failure) {
                if (!self->is_over()) {
                    self->on_connected(std::move(failure));
                }
            },
            is_pure_connect() ? Purpose::Handshake : Purpose::Exchange);
    }

    void close() override { channel_.close(is_pure_connect() ? Closing::Abort : Closing::InOrder); }

    [[nodiscard]] bool is_pure_connect() const { return send_.empty() && expect_.empty(); }

    void on_connected(Failure failure) {
        if (failure) {
            finish(std::move(*failure));
        } else if (send_.empty()) {
            on_sent({});
        } else {
            enter("send");
            channel_.async_write(send_, [self = self()](std::error_code error) {
                if (!self->is_over()) {
                    self->on_sent(error);
                }
            });
        }
    }

    void on_sent(std::error_code error) {
        if (error) {
            fail("send: " + error.message());
        } else if (expect_.empty()) {
            pass(send_.empty() ? "connected" : "sent");
        } else {
            enter("answer");
            read();
        }
    }

    void read() {
        channel_.async_read([self = self()](std::error_code error, std::string_view octets) {
            if (!self->is_over()) {
                self->answer_ += octets;
                self->on_read(error);
            }
        });
    }

    void on_read(std::error_code error) {
        if (answer_.contains(expect_)) {
            pass("answer as expected");
        } else if (error == boost::system::error_code(boost::asio::error::eof)) {
            fail("closed without the expected answer" + heard());
        } else if (error) {
            fail("answer: " + error.message());
        } else if (answer_.size() >= answer_limit_octets) {
            fail("not in the first 64 KiB of the answer" + heard());
        } else {
            read();
        }
    }

    Result timed_out() override {
        Result result = Run::timed_out();
        result.detail += heard();
        return result;
    }

    /// What came instead.
    [[nodiscard]] std::string heard() const {
        return answer_.empty() ? "" : ": " + printable(answer_, 60);
    }

    std::shared_ptr<TcpRun> self() { return std::static_pointer_cast<TcpRun>(shared_from_this()); }

    Channel channel_;
    std::string target_;
    std::string send_;
    std::string expect_;
    std::string answer_;
};

} // namespace

RunPointer make_run(const TcpTarget& target, RunContext context) {
    return std::make_shared<TcpRun>(target, context);
}

} // namespace anyvip::health
