// SPDX-License-Identifier: Apache-2.0
// Beast parses the requests.
#include "cmd/daemon/http_message.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>

#include "bgp/wire/printable.hpp"
#include "cmd/daemon/limits.hpp"

namespace anyvip::cmd {
namespace {

namespace http = boost::beast::http;

// Without the port, in lower case.
std::string host_name(std::string_view host) {
    std::string name(host.starts_with('[') ? host.substr(0, host.find(']') + 1)
                                           : host.substr(0, host.rfind(':')));
    std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return name;
}

bool is_text(std::string_view text) {
    const auto* octets = reinterpret_cast<const std::uint8_t*>(text.data());
    return bgp::wire::printable({octets, text.size()}) == text;
}

// Names of the target come back in answers, which are JSON, and in the log.
bool is_text(const HttpRequest& request) {
    return is_text(request.path) && std::ranges::all_of(request.query, [](const auto& entry) {
               return is_text(entry.first) && is_text(entry.second);
           });
}

} // namespace

struct HttpReader::Parser {
    http::request_parser<http::string_body> parser;
    boost::beast::flat_buffer unparsed;
};

HttpReader::HttpReader(HttpBodies bodies) : parser_(std::make_unique<Parser>()), bodies_(bodies) {
    parser_->parser.header_limit(limits::http_header_octets);
    parser_->parser.body_limit(bodies == HttpBodies::Accepted ? limits::http_body_octets : 0);
    parser_->parser.eager(true);
}

HttpReader::~HttpReader() = default;

HttpReader::Progress HttpReader::feed(std::string_view octets) {
    auto& unparsed = parser_->unparsed;
    const auto copied =
        boost::asio::buffer_copy(unparsed.prepare(octets.size()), boost::asio::buffer(octets));
    unparsed.commit(copied);
    boost::system::error_code error;
    while (!error && unparsed.size() > 0 && !parser_->parser.is_done()) {
        unparsed.consume(parser_->parser.put(unparsed.data(), error));
    }
    if (error == http::error::need_more) {
        error.clear();
    }
    if (error == http::error::body_limit && bodies_ == HttpBodies::Refused &&
        parser_->parser.get().method() != http::verb::get) {
        refusal_ = {405, "this listener only answers GET"};
        return Progress::Refused;
    }
    if (error == http::error::body_limit || error == http::error::header_limit) {
        refusal_ = {413, "request too large"};
        return Progress::Refused;
    }
    if (error) {
        refusal_ = {400, "not an HTTP request"};
        return Progress::Refused;
    }
    if (!parser_->parser.is_done()) {
        return Progress::NeedsMore;
    }
    if (!is_text(request())) {
        refusal_ = {400, "the target is not printable UTF-8"};
        return Progress::Refused;
    }
    return Progress::Complete;
}

HttpRequest HttpReader::request() const {
    const auto& message = parser_->parser.get();
    HttpRequest request;
    request.method = std::string(message.method_string());
    request.host = host_name(message[http::field::host]);
    request.body = message.body();
    parse_target(message.target(), request);
    return request;
}

std::string http_head(unsigned status, std::string_view content_type, std::string_view framing) {
    const auto reason = http::obsolete_reason(http::int_to_status(status));
    std::string text = "HTTP/1.1 " + std::to_string(status) + " ";
    text.append(reason.data(), reason.size());
    text += "\r\nContent-Type: ";
    text += content_type;
    // The page has neither scripts nor anything from elsewhere, and is in no frame: should a text
    // of a peer or a check ever get through unescaped, the browser does nothing with it.
    text += "\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
            "frame-ancestors 'none'"
            "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff"
            "\r\nConnection: close\r\n";
    text += framing;
    text += "\r\n\r\n";
    return text;
}

std::string http_chunk(std::string_view octets) {
    std::array<char, 24> size{};
    const int length = std::snprintf(size.data(), size.size(), "%zx\r\n", octets.size());
    std::string framed(size.data(), static_cast<std::size_t>(length));
    framed += octets;
    framed += "\r\n";
    return framed;
}

} // namespace anyvip::cmd
