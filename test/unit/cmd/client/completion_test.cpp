// SPDX-License-Identifier: Apache-2.0
// Manual page and completions know every command and every option.
#include <doctest/doctest.h>

#include "cmd/client/commands.hpp"
#include "test/support/source_tree.hpp"

using namespace anyvip::client;

namespace {} // namespace

TEST_CASE("bash and zsh completion and anyvip(1) know every command and option") {
    const std::string bash = read_source("etc/completion/anyvip.bash");
    const std::string zsh = read_source("etc/completion/_anyvip");
    const std::string page = read_source("etc/man/anyvip.1");
    for (const Command& command : commands()) {
        const std::string name(command.name);
        CHECK_MESSAGE(bash.find(' ' + name) != std::string::npos, name);
        CHECK_MESSAGE(zsh.find('\'' + name + ':') != std::string::npos, name);
        CHECK_MESSAGE(page.find(".It Cm " + name) != std::string::npos, name);
        for (const Option& option : command.options) {
            const std::string word(option.name.substr(0, option.name.find(',')));
            CHECK_MESSAGE(bash.find("--" + word) != std::string::npos, word);
            CHECK_MESSAGE(zsh.find("--" + word) != std::string::npos, word);
            const bool is_on_page = page.find("Fl Fl " + word) != std::string::npos ||
                                    (word == "follow" && page.find("Fl f") != std::string::npos);
            CHECK_MESSAGE(is_on_page, word);
        }
    }
}
