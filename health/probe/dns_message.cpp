// SPDX-License-Identifier: Apache-2.0
#include "health/probe/dns_message.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <initializer_list>
#include <optional>
#include <utility>

#include <arpa/inet.h>

namespace anyvip::health {

namespace {

constexpr std::size_t header_octets = 12;
constexpr std::size_t name_limit_octets = 255;
constexpr std::size_t label_limit_octets = 63;
constexpr int pointer_limit = 64;
constexpr std::size_t record_limit = 64; // enough to find an expected answer in

using Named = std::pair<std::string_view, std::uint16_t>;

constexpr std::array types{Named{"A", 1},
                           Named{"NS", 2},
                           Named{"CNAME", 5},
                           Named{"SOA", 6},
                           Named{"PTR", 12},
                           Named{"MX", 15},
                           Named{"TXT", 16},
                           Named{"AAAA", 28},
                           Named{"SRV", 33},
                           Named{"DS", 43},
                           Named{"DNSKEY", 48},
                           Named{"SVCB", 64},
                           Named{"HTTPS", 65},
                           Named{"ANY", 255},
                           Named{"CAA", 257}};

constexpr std::array<std::string_view, 11> rcodes{"NOERROR",
                                                  "FORMERR",
                                                  "SERVFAIL",
                                                  "NXDOMAIN",
                                                  "NOTIMP",
                                                  "REFUSED",
                                                  "YXDOMAIN",
                                                  "YXRRSET",
                                                  "NXRRSET",
                                                  "NOTAUTH",
                                                  "NOTZONE"};

std::optional<std::uint16_t> type_number(std::string_view name) {
    const auto known = std::ranges::find(types, name, &Named::first);
    if (known != types.end()) {
        return known->second;
    }
    constexpr std::string_view generic = "TYPE"; // RFC 3597 §5
    std::uint16_t number = 0;
    if (!name.starts_with(generic)) {
        return std::nullopt;
    }
    const char* const last = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + generic.size(), last, number);
    if (parsed.ec != std::errc() || parsed.ptr != last) {
        return std::nullopt;
    }
    return number;
}

void put16(std::string& out, std::uint16_t value) {
    out.push_back(static_cast<char>(value >> 8U));
    out.push_back(static_cast<char>(value & 0xFFU));
}

/// Cursor with a sticky error: reads past the end yield zero.
class Reader {
  public:
    explicit Reader(std::string_view message, std::size_t at = 0) : message_(message), at_(at) {}

    std::uint8_t u8() {
        if (at_ >= message_.size()) {
            is_bad_ = true;
            return 0;
        }
        return static_cast<std::uint8_t>(message_[at_++]);
    }

    std::uint16_t u16() {
        const unsigned high = u8();
        return static_cast<std::uint16_t>(high << 8U | u8());
    }

    std::string_view bytes(std::size_t octets) {
        if (octets > message_.size() - std::min(at_, message_.size())) {
            is_bad_ = true;
            return {};
        }
        at_ += octets;
        return message_.substr(at_ - octets, octets);
    }

    /// "example.org."; RFC 1035 §4.1.4.
    std::string name() {
        std::string result;
        std::optional<std::size_t> after;
        for (int pointers = 0; !is_bad_;) {
            const std::uint8_t length = u8();
            if (length >= 0xC0) {
                const std::size_t target = (length & 0x3FU) << 8U | u8();
                after = after.value_or(at_);
                at_ = target;
                is_bad_ = is_bad_ || ++pointers > pointer_limit;
            } else if (length == 0 || length > label_limit_octets) {
                is_bad_ = is_bad_ || length != 0;
                break;
            } else {
                result.append(bytes(length)).push_back('.');
                is_bad_ = is_bad_ || result.size() > name_limit_octets;
            }
        }
        at_ = after.value_or(at_);
        return result.empty() ? "." : result;
    }

    [[nodiscard]] bool is_bad() const { return is_bad_; }

    [[nodiscard]] std::size_t at() const { return at_; }

  private:
    std::string_view message_;
    std::size_t at_;
    bool is_bad_ = false;
};

std::string hexadecimal(std::string_view data) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text = "\\# " + std::to_string(data.size()) + " ";
    for (const char octet : data) {
        const auto value = static_cast<std::uint8_t>(octet);
        text.push_back(digits[value >> 4U]);
        text.push_back(digits[value & 0xFU]);
    }
    return text;
}

std::string character_strings(std::string_view data) {
    std::string text;
    while (!data.empty()) {
        const auto length = static_cast<std::uint8_t>(data.front());
        const std::string_view part = data.substr(1, length);
        text.append(text.empty() ? "\"" : " \"").append(part).append("\"");
        data.remove_prefix(1 + part.size());
    }
    return text;
}

std::string address(int family, std::string_view data) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const std::size_t wanted = family == AF_INET ? 4 : 16;
    if (data.size() != wanted ||
        ::inet_ntop(family, data.data(), text.data(), text.size()) == nullptr) {
        return hexadecimal(data);
    }
    return text.data();
}

/// Numbers of so many octets each, a blank behind each.
std::string decimals(Reader& reader, std::initializer_list<int> sizes) {
    std::string text;
    for (const int size : sizes) {
        std::uint32_t number = 0;
        for (int i = 0; i < size; ++i) {
            number = number << 8U | reader.u8();
        }
        text += std::to_string(number) + " ";
    }
    return text;
}

/// RFC 1035 §3.3.13.
std::string soa(Reader& reader) {
    std::string text = reader.name() + " ";
    text += reader.name() + " ";
    text += decimals(reader, {4, 4, 4, 4, 4});
    text.pop_back();
    return text;
}

/// RFC 8659 §4.1: flags, tag, "value".
std::string caa(std::string_view data) {
    Reader reader(data);
    const std::string flags = decimals(reader, {1});
    const std::string_view tag = reader.bytes(reader.u8());
    if (reader.is_bad() || tag.empty()) {
        return hexadecimal(data);
    }
    return flags + std::string(tag) + " \"" + std::string(data.substr(reader.at())) + "\"";
}

/// `at` is where `data` begins in the message: names in it may point anywhere.
std::string render(std::uint16_t type, std::string_view message, std::size_t at, std::size_t size) {
    const std::string_view data = message.substr(at, size);
    Reader reader(message, at);
    switch (type) {
    case 1:
        return address(AF_INET, data);
    case 28:
        return address(AF_INET6, data);
    case 2:
    case 5:
    case 12:
        return reader.name();
    case 15: {
        const std::string preference = std::to_string(reader.u16());
        return preference + " " + reader.name();
    }
    case 6:
        return soa(reader);
    case 16:
        return character_strings(data);
    case 33: {
        const std::string numbers = decimals(reader, {2, 2, 2}); // priority, weight, port
        return numbers + reader.name();
    }
    case 257:
        return caa(data);
    default:
        return hexadecimal(data);
    }
}

} // namespace

std::expected<std::string, std::string> encode_dns_query(const DnsQuestion& question) {
    const auto type = type_number(question.qtype);
    if (!type) {
        return std::unexpected("unknown qtype " + std::string(question.qtype));
    }
    std::string message;
    put16(message, question.id);
    put16(message, 0x0100); // a query, recursion desired
    put16(message, 1);      // one question
    message.append(6, '\0');
    std::string_view rest = question.name;
    if (rest.ends_with('.')) {
        rest.remove_suffix(1);
    }
    while (!rest.empty()) {
        const auto dot = rest.find('.');
        const std::string_view label = rest.substr(0, dot);
        if (label.empty() || label.size() > label_limit_octets) {
            return std::unexpected("no domain name: " + std::string(question.name));
        }
        message.push_back(static_cast<char>(label.size()));
        message.append(label);
        rest = dot == std::string_view::npos ? "" : rest.substr(dot + 1);
    }
    message.push_back('\0');
    if (message.size() - header_octets > name_limit_octets) {
        return std::unexpected("domain name is too long: " + std::string(question.name));
    }
    put16(message, *type);
    put16(message, 1); // IN
    return message;
}

bool is_dns_answer_to(std::string_view query, std::string_view message) {
    return message.size() >= header_octets && message.substr(0, 2) == query.substr(0, 2) &&
           (static_cast<std::uint8_t>(message[2]) & 0x80U) != 0;
}

std::expected<DnsAnswer, std::string> parse_dns_answer(std::string_view query,
                                                       std::string_view message) {
    Reader reader(message, 2);
    const std::uint16_t flags = reader.u16();
    const std::uint16_t questions = reader.u16();
    const std::uint16_t answers = reader.u16();
    reader.bytes(4);
    const unsigned rcode = flags & 0xFU;
    DnsAnswer answer{.rcode = rcode < rcodes.size() ? std::string(rcodes[rcode])
                                                    : "RCODE" + std::to_string(rcode),
                     .is_truncated = (flags & 0x0200U) != 0,
                     .records = {}};
    // Some servers leave the question out of a refusal; one that is there must be ours.
    for (std::uint16_t i = 0; i < questions && !reader.is_bad(); ++i) {
        const std::size_t begin = reader.at();
        reader.name();
        reader.bytes(4);
        const std::string_view asked = query.substr(header_octets);
        const std::string_view echoed = message.substr(begin, reader.at() - begin);
        const bool is_ours =
            std::ranges::equal(asked, echoed, [](unsigned char a, unsigned char b) {
                return std::tolower(a) == std::tolower(b);
            });
        if (!reader.is_bad() && !is_ours) {
            return std::unexpected("answer to another question");
        }
    }
    for (std::uint16_t i = 0; i < answers && i < record_limit && !reader.is_bad(); ++i) {
        reader.name();
        const std::uint16_t type = reader.u16();
        reader.bytes(6); // class, TTL
        const std::uint16_t size = reader.u16();
        const std::size_t at = reader.at();
        reader.bytes(size);
        if (!reader.is_bad()) {
            answer.records.push_back(render(type, message, at, size));
        }
    }
    if (reader.is_bad() && !answer.is_truncated) {
        return std::unexpected("malformed answer");
    }
    return answer;
}

} // namespace anyvip::health
