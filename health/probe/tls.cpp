// SPDX-License-Identifier: Apache-2.0
// tls: connects and shakes hands; the chain, the name and the days left are the verdict.
#include <utility>

#include "health/probe/channel.hpp"
#include "health/probe/run.hpp"
#include "health/probe/tls_session.hpp"

namespace anyvip::health {

namespace {

class TlsRun : public Run {
  public:
    TlsRun(const TlsTarget& target, RunContext& context)
        : Run(context), channel_(context.io), target_(target.target), options_(target.tls) {}

  private:
    void begin() override {
        auto address = parse_host_port(target_, 443);
        if (!address) {
            finish({.outcome = Outcome::Error, .detail = address.error()});
            return;
        }
        host_ = address->unix_path.empty() ? address->host : "localhost";
        channel_.async_connect(
            *address, connecting(address->host), [self = self()](Failure failure) {
                if (!self->is_over()) {
                    self->on_connected(std::move(failure));
                }
            });
    }

    void close() override { channel_.close(Closing::InOrder); }

    void on_connected(Failure failure) {
        if (failure) {
            finish(std::move(*failure));
            return;
        }
        enter("tls handshake");
        channel_.async_handshake(options_, host_, [self = self()](Failure refused) {
            if (!self->is_over()) {
                self->on_secured(std::move(refused));
            }
        });
    }

    void on_secured(Failure failure) {
        if (!failure) {
            failure = expiry_failure(*channel_.tls(), options_);
        }
        if (failure) {
            finish(std::move(*failure));
            return;
        }
        std::string detail = channel_.tls()->version();
        if (const auto days = channel_.tls()->days_valid()) {
            detail += ", certificate ends in " + std::to_string(*days) + " days";
        }
        pass(std::move(detail));
    }

    std::shared_ptr<TlsRun> self() { return std::static_pointer_cast<TlsRun>(shared_from_this()); }

    Channel channel_;
    std::string target_;
    std::string host_;
    TlsOptions options_;
};

} // namespace

RunPointer make_run(const TlsTarget& target, RunContext context) {
    return std::make_shared<TlsRun>(target, context);
}

} // namespace anyvip::health
