// SPDX-License-Identifier: Apache-2.0
// dns: asks one question, over UDP or TCP, and looks at rcode and answer.
#include <algorithm>
#include <array>
#include <random>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/udp.hpp>

#include "health/probe/channel.hpp"
#include "health/probe/dns_message.hpp"
#include "health/probe/resolver.hpp"
#include "health/probe/run.hpp"

namespace anyvip::health {

namespace {

using boost::asio::ip::udp;

/// Nobody off the path shall be able to answer in the server's place.
std::uint16_t random_id() {
    static std::mt19937 engine{std::random_device{}()}; // the loop is one thread
    return static_cast<std::uint16_t>(engine());
}

/// What both transports share: the question and the judgement.
class DnsRun : public Run {
  public:
    DnsRun(const DnsTarget& target, RunContext& context)
        : Run(context), target_(target), address_(parse_host_port(target.server, 53)) {}

  protected:
    void begin() override {
        const auto query =
            encode_dns_query({.id = random_id(), .name = target_.query, .qtype = target_.qtype});
        if (!address_ || !query) {
            finish(
                {.outcome = Outcome::Error, .detail = address_ ? query.error() : address_.error()});
            return;
        }
        query_ = *query;
        open(*address_);
    }

    virtual void open(const HostPort& address) = 0;

    [[nodiscard]] const std::string& query() const { return query_; }

    void judge(std::string_view message) {
        const auto answer = parse_dns_answer(query_, message);
        if (!answer) {
            fail("dns: " + answer.error());
            return;
        }
        std::string detail = answer->rcode;
        if (answer->rcode != target_.expect_rcode) {
            fail(detail + ", expected " + target_.expect_rcode);
            return;
        }
        const bool is_found = target_.expect_answer.empty() ||
                              std::ranges::any_of(answer->records, [&](const std::string& record) {
                                  return record == target_.expect_answer ||
                                         record == "\"" + target_.expect_answer + "\"" ||
                                         record == target_.expect_answer + ".";
                              });
        if (!answer->records.empty()) {
            detail += ", " + printable(answer->records.front(), 60);
        }
        if (answer->records.size() > 1) {
            detail += " and " + std::to_string(answer->records.size() - 1) + " more";
        }
        if (!is_found) {
            fail(detail + (answer->is_truncated ? ", truncated" : "") + ", expected " +
                 target_.expect_answer);
            return;
        }
        // Without the records: a rotating answer is no change of the result.
        pass(answer->rcode);
    }

  private:
    DnsTarget target_;
    std::expected<HostPort, std::string> address_;
    std::string query_;
};

class UdpRun : public DnsRun {
  public:
    UdpRun(const DnsTarget& target, RunContext& context)
        : DnsRun(target, context), socket_(context.io) {}

  private:
    void open(const HostPort& address) override {
        enter("resolve");
        resolve(
            socket_.get_executor(),
            address.host,
            [self = self(), port = address.port](const std::expected<Addresses, Result>& resolved) {
                if (self->is_over()) {
                    return;
                }
                if (!resolved) {
                    self->finish(resolved.error());
                    return;
                }
                for (const auto& server : *resolved) {
                    self->servers_.emplace_back(server, port);
                }
                self->ask();
            });
    }

    void close() override {
        boost::system::error_code ignored;
        socket_.close(ignored);
    }

    void ask() {
        enter("dns answer");
        const udp::endpoint server = servers_[asked_++];
        boost::system::error_code error;
        socket_.open(server.protocol(), error);
        if (error) {
            fail_to_run("socket", error);
            return;
        }
        socket_.non_blocking(true, error);
        socket_.connect(server, error);
        if (!error) {
            socket_.send(boost::asio::buffer(query()), 0, error);
        }
        if (error) {
            refused(error);
            return;
        }
        read();
    }

    /// The next address of its name may be where it listens.
    void refused(const boost::system::error_code& error) {
        if (asked_ == servers_.size()) {
            finish(connect_failure(error, false));
            return;
        }
        close();
        ask();
    }

    void read() {
        socket_.async_receive(
            boost::asio::buffer(answer_),
            [self = self()](const boost::system::error_code& error, std::size_t octets) {
                if (self->is_over()) {
                    return;
                }
                const std::string_view message(self->answer_.data(), octets);
                if (error) {
                    self->refused(error); // ICMP said so
                } else if (is_dns_answer_to(self->query(), message)) {
                    self->judge(message);
                } else {
                    ++self->strangers_;
                    self->read();
                }
            });
    }

    Result timed_out() override {
        Result result = Run::timed_out();
        if (strangers_ > 0) {
            result.detail += ", datagrams of another id or question: " + std::to_string(strangers_);
        }
        return result;
    }

    std::shared_ptr<UdpRun> self() { return std::static_pointer_cast<UdpRun>(shared_from_this()); }

    udp::socket socket_;
    std::vector<udp::endpoint> servers_;
    std::size_t asked_ = 0;
    std::array<char, 4096> answer_{};
    unsigned strangers_ = 0;
};

class TcpDnsRun : public DnsRun {
  public:
    TcpDnsRun(const DnsTarget& target, RunContext& context)
        : DnsRun(target, context), channel_(context.io) {}

  private:
    void open(const HostPort& address) override {
        const std::size_t size = query().size();
        framed_ = {static_cast<char>(size >> 8U), static_cast<char>(size & 0xFFU)};
        framed_ += query();
        channel_.async_connect(address, connecting(), [self = self()](Failure failure) {
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
        enter("dns answer");
        channel_.async_write(framed_, [self = self()](std::error_code error) {
            if (self->is_over()) {
                return;
            }
            if (error) {
                self->fail("dns query: " + error.message());
            } else {
                self->read();
            }
        });
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
        const auto octet = [&](std::size_t at) {
            return static_cast<std::size_t>(static_cast<std::uint8_t>(answer_[at]));
        };
        const std::size_t wanted =
            answer_.size() < 2 ? 2 : 2 + (octet(0) << 8U | octet(1)); // at most 64 KiB
        if (answer_.size() >= 2 && answer_.size() >= wanted) {
            const std::string_view message = std::string_view(answer_).substr(2, wanted - 2);
            is_dns_answer_to(query(), message) ? judge(message) : fail("dns: not our answer");
        } else if (error) {
            const bool is_eof = error == boost::system::error_code(boost::asio::error::eof);
            fail("dns answer: " + (is_eof ? "closed without one" : error.message()));
        } else {
            read();
        }
    }

    std::shared_ptr<TcpDnsRun> self() {
        return std::static_pointer_cast<TcpDnsRun>(shared_from_this());
    }

    Channel channel_;
    std::string framed_;
    std::string answer_;
};

} // namespace

RunPointer make_run(const DnsTarget& target, RunContext context) {
    if (target.over_tcp) {
        return std::make_shared<TcpDnsRun>(target, context);
    }
    return std::make_shared<UdpRun>(target, context);
}

} // namespace anyvip::health
