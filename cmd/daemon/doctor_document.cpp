// SPDX-License-Identifier: Apache-2.0
// What the doctor found as JSON: from within the daemon, and without one.
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "cmd/config/config.hpp"
#include "cmd/daemon/doctor.hpp"
#include "cmd/daemon/identity.hpp"

namespace anyvip::cmd {
namespace {

[[nodiscard]] boost::json::object to_json(const Finding& finding) {
    return {{"severity", to_string(finding.severity)},
            {"check", finding.check},
            {"finding", finding.finding},
            {"remedy", finding.remedy}};
}

void append(boost::json::array& array, const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
        array.push_back(to_json(finding));
    }
}

/// What can be known where nothing was read that needs a valid configuration.
[[nodiscard]] std::vector<Finding> problems_of(const std::vector<Problem>& problems,
                                               const std::string& file) {
    std::vector<Finding> findings;
    for (const Problem& problem : problems) {
        findings.push_back({Severity::Error,
                            "configuration",
                            to_string(problem, file),
                            "mend it; anyvipd --check -c " + file});
    }
    return findings;
}

[[nodiscard]] std::string to_text(boost::json::array findings) {
    return boost::json::serialize(boost::json::object{{"findings", std::move(findings)}}) + "\n";
}

} // namespace

boost::json::object doctor_document(Agent& agent) {
    const DoctorSetup setup = doctor_setup(agent);
    const HostFacts host = read_host(setup);
    boost::json::array findings;
    append(findings, diagnose(setup, host));
    boost::json::object document{{"findings", std::move(findings)}};
    if (!host.is_clock_synchronized) {
        document["if_clock_is_unsynchronized"] = to_json(unsynchronized_clock());
    }
    return document;
}

std::string doctor_without_daemon(const std::string& file) {
    boost::json::array findings;
    findings.push_back(
        to_json({Severity::Error,
                 "daemon",
                 "no anyvipd answers: nothing is announced, and what only it knows "
                 "(sessions, learnt routes, what routers show) is not looked at",
                 "systemctl status anyvip; journalctl -u anyvip says how it ended"}));
    auto config = load_config(file);
    if (!config) {
        append(findings, problems_of(config.error(), file));
        return to_text(std::move(findings));
    }
    if (const std::string problem = complete_identity(*config); !problem.empty()) {
        findings.push_back(
            to_json({Severity::Error, "configuration", problem, "set node.router_id"}));
    }
    DoctorSetup setup = doctor_setup(*config);
    setup.has_daemon = false;
    setup.secret_files = secret_files(*config, file);
    append(findings, diagnose(setup, read_host(setup)));
    return to_text(std::move(findings));
}

} // namespace anyvip::cmd
