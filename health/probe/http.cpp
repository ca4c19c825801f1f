// SPDX-License-Identifier: Apache-2.0
// http and https: one request, one response, no redirects. Beast parses; the bytes go over Channel,
// so that plain and TLS are one path.
#include <algorithm>
#include <cctype>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/none.hpp>

#include "health/probe/channel.hpp"
#include "health/probe/run.hpp"
#include "health/probe/tls_session.hpp"
#include "health/url.hpp"

namespace anyvip::health {

namespace {

namespace http = boost::beast::http;

constexpr std::uint32_t header_limit_octets = 16384;
constexpr std::size_t body_limit_octets = 262144;
constexpr std::size_t reason_limit = 60;
constexpr int interim_limit = 8; // 1xx responses before the real one

/// The first `body_limit_octets` of a body, however long it is. Beast's own string_body reserves
/// what Content-Length says, be it an exabyte, and its limit lets go of all of it.
struct HeadOfBody {
    using value_type = std::string;

    class reader {
      public:
        template <bool is_request, class Fields>
        reader(http::header<is_request, Fields>& /*header*/, value_type& body) : body_(body) {}

        template <class Length>
        void init(const Length& /*length*/, boost::system::error_code& error) {
            error = {};
        }

        template <class Buffers>
        std::size_t put(const Buffers& buffers, boost::system::error_code& error) {
            error = {};
            std::size_t octets = 0;
            for (const boost::asio::const_buffer piece : boost::beast::buffers_range_ref(buffers)) {
                const std::size_t room = body_limit_octets - body_.size();
                body_.append(static_cast<const char*>(piece.data()), std::min(room, piece.size()));
                octets += piece.size();
            }
            return octets;
        }

        static void finish(boost::system::error_code& error) { error = {}; }

      private:
        value_type& body_;
    };
};

using Parser = http::response_parser<HeadOfBody>;
using Response = http::response<HeadOfBody>;
using Ranges = std::vector<std::pair<std::uint16_t, std::uint16_t>>;

/// "200-299,304"
std::string to_text(const Ranges& ranges) {
    std::string text;
    for (const auto& [first, last] : ranges) {
        text += (text.empty() ? "" : ",") + std::to_string(first);
        if (last != first) {
            text += "-" + std::to_string(last);
        }
    }
    return text;
}

bool is_named(std::string_view name, std::string_view other) {
    return std::ranges::equal(name, other, [](unsigned char a, unsigned char b) {
        return std::tolower(a) == std::tolower(b);
    });
}

std::string serialize(const HttpTarget& target, const Url& url) {
    std::string text = target.method + " " + url.path + " HTTP/1.1\r\n";
    const auto add = [&](std::string_view name, std::string_view value) {
        for (const auto& [own, ignored] : target.headers) {
            if (is_named(own, name)) {
                return; // the operator's word goes first
            }
        }
        text.append(name).append(": ").append(value).append("\r\n");
    };
    add("Host", target.host.empty() ? url.authority : target.host);
    add("User-Agent", "anyvip/" ANYVIP_VERSION);
    add("Accept", "*/*");
    add("Connection", "close");
    for (const auto& [name, value] : target.headers) {
        text.append(name).append(": ").append(value).append("\r\n");
    }
    return text + "\r\n";
}

class HttpRun : public Run {
  public:
    HttpRun(const HttpTarget& target, RunContext& context)
        : Run(context), channel_(context.io), url_(parse_url(target.url)),
          is_head_(target.method == "HEAD"), expect_status_(target.expect_status),
          expect_body_(target.expect_body), tls_(target.tls) {
        if (url_) {
            request_ = serialize(target, *url_);
        }
    }

  private:
    void begin() override {
        if (!url_) {
            finish({.outcome = Outcome::Error, .detail = url_.error()});
            return;
        }
        channel_.async_connect(
            url_->address, connecting(url_->address.host), [self = self()](Failure failure) {
                if (!self->is_over()) {
                    self->on_connected(std::move(failure));
                }
            });
    }

    void close() override { channel_.close(Closing::InOrder); }

    void on_connected(Failure failure) {
        if (failure) {
            finish(std::move(*failure));
        } else if (url_->is_https) {
            enter("tls handshake");
            channel_.async_handshake(tls_, url_->address.host, [self = self()](Failure refused) {
                if (!self->is_over()) {
                    self->on_secured(std::move(refused));
                }
            });
        } else {
            on_secured({});
        }
    }

    void on_secured(Failure failure) {
        if (failure) {
            finish(std::move(*failure));
            return;
        }
        enter("http request");
        channel_.async_write(request_, [self = self()](std::error_code error) {
            if (self->is_over()) {
                return;
            }
            if (error) {
                self->fail("http request: " + error.message());
                return;
            }
            self->enter("http response");
            self->expect_response();
            self->read();
        });
    }

    void expect_response() {
        parser_.emplace();
        parser_->header_limit(header_limit_octets);
        parser_->body_limit(boost::none); // ours is in HeadOfBody
        parser_->skip(is_head_);
        parser_->eager(true);
    }

    void read() {
        channel_.async_read([self = self()](std::error_code error, std::string_view octets) {
            if (!self->is_over()) {
                self->on_read(error, octets);
            }
        });
    }

    void on_read(std::error_code error, std::string_view octets) {
        pending_ += octets;
        boost::system::error_code parsed;
        if (!pending_.empty()) {
            pending_.erase(0, parser_->put(boost::asio::buffer(pending_), parsed));
        }
        if (parsed == http::error::need_more) {
            parsed = {};
        }
        const bool is_end = static_cast<bool>(error);
        if (is_end && !parsed && parser_->got_some() && !parser_->is_done()) {
            parser_->put_eof(parsed);
        }
        // A body beyond the limit: what we have of it must do.
        const bool is_enough =
            parser_->is_done() || parser_->get().body().size() >= body_limit_octets;
        if (!parsed && is_enough) {
            on_response(is_end);
        } else if (parsed) {
            fail("http response: " + parsed.message());
        } else if (is_end) {
            const bool is_eof = error == boost::system::error_code(boost::asio::error::eof);
            fail("http response: " + (is_eof ? "closed without one" : error.message()));
        } else {
            if (parser_->is_header_done()) {
                enter("http body");
            }
            read();
        }
    }

    void on_response(bool is_end) {
        const auto& response = parser_->get();
        const bool is_interim = response.result_int() < 200 && response.result_int() != 101;
        if (is_interim && !is_end && ++interims_ <= interim_limit) {
            expect_response();
            on_read({}, {});
            return;
        }
        judge(response);
    }

    void judge(const Response& response) {
        const unsigned status = response.result_int();
        std::string detail = status_text(response);
        const bool is_expected = std::ranges::any_of(expect_status_, [&](const auto& range) {
            return status >= range.first && status <= range.second;
        });
        Failure expiry;
        if (channel_.tls() != nullptr) {
            expiry = expiry_failure(*channel_.tls(), tls_);
        }
        if (!is_expected) {
            fail(std::move(detail) + ", expected " + to_text(expect_status_));
        } else if (!response.body().contains(expect_body_)) {
            fail(std::move(detail) + ", body without \"" + printable(expect_body_, reason_limit) +
                 "\"");
        } else if (expiry) {
            finish(std::move(*expiry));
        } else {
            pass(std::move(detail));
        }
    }

    static std::string status_text(const Response& response) {
        std::string_view reason = response.reason();
        if (reason.empty()) {
            reason = http::obsolete_reason(response.result());
        }
        return std::to_string(response.result_int()) + " " + printable(reason, reason_limit);
    }

    std::shared_ptr<HttpRun> self() {
        return std::static_pointer_cast<HttpRun>(shared_from_this());
    }

    Channel channel_;
    std::expected<Url, std::string> url_;
    bool is_head_;
    int interims_ = 0;
    Ranges expect_status_;
    std::string expect_body_;
    TlsOptions tls_;
    std::string request_;
    std::string pending_;
    std::optional<Parser> parser_;
};

} // namespace

RunPointer make_run(const HttpTarget& target, RunContext context) {
    return std::make_shared<HttpRun>(target, context);
}

} // namespace anyvip::health
