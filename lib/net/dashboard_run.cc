#include "base/text.hh"
#include "domain/attempts.hh"
#include "domain/event_log.hh"
#include "domain/run.hh"
#include "domain/usage_report.hh"
#include "net/chart.hh"
#include "net/dashboard.hh"
#include "net/html.hh"
#include "net/request_target.hh"
#include "sys/fd.hh"
#include "sys/path.hh"

#include <algorithm>
#include <fcntl.h>
#include <unistd.h>

namespace ap {

namespace {

constexpr off_t tail_size = 8 << 10;
constexpr int64_t events_shown = 20;

// The end of a file, from the beginning of a line; empty if it cannot be read.
std::string tail_of(const std::string &path)
{
    try {
        const Fd file = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        const off_t size = lseek(file.get(), 0, SEEK_END);
        const off_t from = std::max<off_t>(size - tail_size, 0);
        lseek(file.get(), from, SEEK_SET);
        std::string text = read_all(file.get(), 16 * tail_size, path);
        const size_t line = from == 0 ? 0 : text.find('\n') + 1;
        return text.substr(line);
    } catch (const Error &) {
        return {}; // not made yet, or gone with its run
    }
}

std::string log_section(std::string_view id, const std::string &heading,
                        const std::string &path, const std::string &url)
{
    return "<section id=\"" + std::string(id) + "-section\"><h2 id=\"h-" +
           std::string(id) + "\">" + html_escape(heading) +
           "</h2>\n<pre tabindex=\"0\" role=\"log\" aria-labelledby=\"h-" +
           std::string(id) + "\" id=\"" + std::string(id) + "\" data-follow=\"" +
           html_escape(url) + "?follow=1\">" + html_escape(tail_of(path)) +
           "</pre>\n<p><a href=\"" + html_escape(url) +
           "\">The whole log</a></p>\n"
           "</section>\n";
}

std::string run_url(std::string_view run_id)
{
    return "/dashboard/runs/" + encode_percent(run_id);
}

std::string buttons(const HttpRequest &request, const RunSummary &run)
{
    const auto button = [&](std::string_view verb, std::string_view label,
                            std::string_view question, bool dangerous = false) {
        return button_form(request, {run_url(run.run_id) + "/" + std::string(verb), label,
                                     std::string(question) + " run " + run.run_id + "?",
                                     AccessScope::Operate, dangerous});
    };
    if (run.status.starts_with("DONE")) {
        return run.phases_failed > 0 ? button("retry", "Retry", "Retry failed phases of")
                                     : std::string();
    }
    return (run.status == "EXECUTING" ? button("stop", "Stop", "Stop") : "") +
           (run.paused ? button("resume", "Resume", "Resume")
                       : button("pause", "Pause", "Pause")) +
           button("abort", "Abort", "Abort, ending everything it executes, of", true);
}

bool is_executing(std::string_view status)
{
    return status == "EXECUTING" || status == "CI_RUNNING" || status == "GATE";
}

std::string phase_row(const HttpRequest &request, const RunSummary &run,
                      const PhaseSummary &phase)
{
    const std::string url =
        run_url(run.run_id) + "/phases/" + encode_percent(phase.phase_id);
    return "<tr><td><a href=\"" + url + "\">" + html_escape(phase.phase_id) +
           "</a></td><td>" + html_escape(phase.tier_id) + "</td><td>" +
           status_badge(phase.status) + "</td><td>" + std::to_string(phase.attempts) +
           "</td><td>" + token_bar(phase.tokens_used, 0, phase.token_cap) + "</td><td>" +
           html_escape(phase.reason.value_or("")) + "</td><td>" +
           (is_executing(phase.status)
                ? button_form(request, {url + "/timeout", "Time out",
                                        "Treat phase " + phase.phase_id +
                                            " as if its time were up?",
                                        AccessScope::Operate, true})
                : "") +
           "</td></tr>\n";
}

std::string phases_section(HttpCall &call, const RunSummary &run)
{
    std::string html = table_open("phases", {"Phase", "Tier", "Status", "Attempts",
                                             "Tokens of cap", "Reason", "Action"});
    for (const PhaseSummary &phase : list_phases(call.database(), run.run_id)) {
        html += phase_row(call.request, run, phase);
    }
    return section("phases", "Phases", html + std::string(table_close));
}

std::string events_section(HttpCall &call, const std::string &run_id)
{
    std::string html = "<section id=\"events\" aria-labelledby=\"h-events\"><h2 "
                       "id=\"h-events\">Latest events</h2>\n<ul class=\"events\">\n";
    for (const Event &event : newest_events(call.database(), events_shown, run_id)) {
        const auto detail = Json::try_parse(event.detail);
        const std::string to = detail ? detail->get_string("to").value_or("") : "";
        html += "<li>" + time_element(event.created_at) + " " + html_escape(event.kind) +
                (event.phase_id.empty() ? "" : " " + html_escape(event.phase_id)) +
                (to.empty() ? "" : " " + status_badge(to)) + "</li>\n";
    }
    return html + "</ul></section>\n";
}

} // namespace

HttpReply dashboard::run_page(HttpCall &call)
{
    const RunSummary run = show_run(call.database(), call.request.parameter("run"));
    std::string main = "<section id=\"run\">\n<p>" + status_badge(run.status) +
                       (run.paused ? " " + status_badge("PAUSED") : "") + " " +
                       html_escape(run.reason.value_or("")) + "</p>\n<p>" +
                       html_escape(run.goal) + "</p>\n<p>" +
                       token_bar(run.tokens_used, run.tokens_reserved, run.token_cap) +
                       " tokens</p>\n<div class=\"actions\">" +
                       buttons(call.request, run) + "</div>\n</section>\n";
    main += phases_section(call, run);
    main += "<section id=\"models\" aria-labelledby=\"h-models\"><h2 "
            "id=\"h-models\">Tokens by model</h2>\n" +
            model_chart(usage_of_run(call.database(), run.run_id)) + "</section>\n";
    main += events_section(call, run.run_id);
    main += log_section(
        "log", "Executor's log",
        join_path(call.state.paths().run_directory(run.run_id), "executor.log"),
        "/api/runs/" + encode_percent(run.run_id) + "/log");
    return page(call.request, {"Run " + run.run_id, std::move(main),
                               "/api/events/stream?run=" + encode_percent(run.run_id)});
}

HttpReply dashboard::phase_page(HttpCall &call)
{
    const std::string &run_id = call.request.parameter("run");
    const PhaseSummary phase =
        show_phase(call.database(), run_id, call.request.parameter("phase"));
    const RunSummary run = show_run(call.database(), run_id);
    std::string main = "<section id=\"phase\"><p><a href=\"" + run_url(run_id) +
                       "\">Run " + html_escape(run_id) +
                       "</a></p>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                       "aria-label=\"Table of the phase\"><table><tbody>" +
                       phase_row(call.request, run, phase) +
                       "</tbody></table></div></section>\n";
    std::vector<AttemptSummary> attempts =
        list_attempts(call.database(), run_id, phase.phase_id);
    std::reverse(attempts.begin(), attempts.end());
    for (const AttemptSummary &attempt : attempts) {
        const std::string number = std::to_string(attempt.number);
        main += "<section id=\"attempt-" + number + "\"><h2>Attempt " + number +
                "</h2><p>" + status_badge(attempt.status) + " " +
                html_escape(attempt.reason.value_or("")) + " from " +
                time_element(attempt.started_at) + " to " +
                time_element(attempt.ended_at) + "</p></section>\n";
        for (const std::string &log : list_attempt_logs(call.state.paths(), run_id,
                                                        phase.phase_id, attempt.number)) {
            main +=
                log_section("log-" + number + "-" + log, "Attempt " + number + ": " + log,
                            call.state.paths().attempt_directory(run_id, phase.phase_id,
                                                                 attempt.number) +
                                "/" + log,
                            "/api/runs/" + encode_percent(run_id) + "/phases/" +
                                encode_percent(phase.phase_id) + "/attempts/" + number +
                                "/logs/" + encode_percent(log));
        }
    }
    return page(call.request, {"Phase " + phase.phase_id, std::move(main),
                               "/api/events/stream?run=" + encode_percent(run_id)});
}

} // namespace ap
