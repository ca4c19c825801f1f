// SPDX-License-Identifier: Apache-2.0
// The sample configuration and the manual page show every key, the sample with its default.
#include <regex>
#include <sstream>

#include "test/support/source_tree.hpp"
#include "test/unit/cmd/config/support.hpp"

using namespace anyvip;
using namespace anyvip::cmd;
using namespace anyvip::cmd::test;

namespace {

/// The sample with its keys put in force: `#key` becomes `key`, `# prose` stays.
[[nodiscard]] std::string sample_in_force() {
    std::istringstream lines(read_source("etc/anyvip.toml"));
    std::string text;
    for (std::string line; std::getline(lines, line);) {
        const bool is_key = line.size() > 1 && line[0] == '#' && line[1] != ' ';
        text += (is_key ? line.substr(1) : line) + '\n';
    }
    return text;
}

} // namespace

TEST_CASE("the sample configuration is valid as it is and announces nothing") {
    const auto parsed = parse_config(read_source("etc/anyvip.toml"));
    REQUIRE(parsed);
    CHECK(parsed->vips.empty());
    CHECK(parsed->peers.empty());
    CHECK(parsed->node.asn == bgp::Asn{65010});
}

TEST_CASE("the sample configuration is valid with all its keys and examples in force") {
    const Config config = valid(sample_in_force());
    CHECK(config.peers.size() == 3);
    CHECK(config.checks.size() == 8);
    CHECK(config.hooks.size() == 1);
}

TEST_CASE("the sample shows every key that the parser knows") {
    const std::string text = sample_in_force();
    std::set<std::string> shown;
    std::string section;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::smatch match;
        if (std::regex_match(line, match, std::regex(R"(\[+(?:defaults\.)?([a-z]+)\]+)"))) {
            section = match[1];
        } else if (std::regex_search(line, match, std::regex(R"(^([a-z0-9_]+) = )"))) {
            shown.insert(section + '.' + match[1].str());
            // Keys of an inline table.
            const std::regex inner(R"([{,] ([a-z_]+) = )");
            for (std::sregex_iterator at(line.begin(), line.end(), inner), end; at != end; ++at) {
                shown.insert(section + '.' + match[1].str() + '.' + (*at)[1].str());
            }
        }
    }
    for (const std::string& key : known_keys()) {
        CHECK_MESSAGE(shown.contains(key), key);
    }
    CHECK(known_keys().size() > 100);
}

TEST_CASE("the defaults that the sample shows are the defaults") {
    const std::string text = sample_in_force();
    const std::string general = text.substr(0, text.find("# ---- examples"));
    const std::string objects = "[[peer]]\naddress = \"10.0.0.1\"\nasn = 65001\n"
                                "[[check]]\nname = \"a\"\ntype = \"exec\"\ncommand = [\"/bin/a\"]\n"
                                "[[vip]]\nname = \"v\"\naddresses = [\"203.0.113.1\"]\n";
    CHECK(valid(general + objects) == valid(std::string(node) + objects));
    // The examples of checks show the defaults of their types.
    const auto check_named = [](const Config& config, std::string_view name) {
        for (const health::CheckConfig& check : config.checks) {
            if (check.name == name) {
                return check.target;
            }
        }
        FAIL("no such check");
        return health::Target();
    };
    const Config examples = valid(text);
    const Config bare = valid(
        std::string(node) +
        "[[check]]\nname = \"port\"\ntype = \"tcp\"\ntarget = \"127.0.0.1:8080\"\n"
        "[[check]]\nname = \"certificate\"\ntype = \"tls\"\ntarget = \"{vip}:443\"\n"
        "[[check]]\nname = \"web\"\ntype = \"http\"\nurl = \"http://127.0.0.1:8080/healthz\"\n"
        "[[check]]\nname = \"resolver\"\ntype = \"dns\"\nserver = \"127.0.0.1:53\"\n"
        "query = \"example.org\"\n"
        "[[check]]\nname = \"haproxy\"\ntype = \"haproxy\"\nsocket = \"/run/haproxy/admin.sock\"\n"
        "backend = \"web\"\n"
        "[[check]]\nname = \"ready\"\ntype = \"file\"\npath = \"/run/app/ready\"\n");
    for (const health::CheckConfig& check : bare.checks) {
        CHECK_MESSAGE(check_named(examples, check.name) == check.target, check.name);
    }
}

TEST_CASE("anyvip.toml(5) describes every key that the parser knows") {
    const std::string page = read_source("etc/man/anyvip.toml.5");
    for (const std::string& key : known_keys()) {
        const std::string name = key.substr(key.rfind('.') + 1);
        CHECK_MESSAGE(page.find("Cm " + name) != std::string::npos, key);
    }
}
