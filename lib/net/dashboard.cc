#include "net/dashboard.hh"

#include "base/text.hh"
#include "domain/alerts.hh"
#include "domain/run.hh"
#include "domain/usage_report.hh"
#include "net/assets.hh"
#include "net/chart.hh"
#include "net/html.hh"
#include "net/request_target.hh"

namespace ap {

namespace {

constexpr auto read = AccessScope::Read;
constexpr auto operate = AccessScope::Operate;
using Way = ApiRoute::Way;

constexpr size_t form_size = 16 << 10;
constexpr int64_t runs_in_a_page = 25;
constexpr int64_t chart_hours = 48;

constexpr ApiRoute routes[] = {
    {"GET", "/", {}, Way::Read, dashboard::start, 0, true},
    {"GET", "/assets/{name}", {}, Way::Read, dashboard::asset},
    {"GET", "/dashboard", read, Way::Read, dashboard::overview, 0, true},
    {"GET", "/dashboard/runs/{run}", read, Way::Read, dashboard::run_page, 0, true},
    {"POST", "/dashboard/runs/{run}/{verb}", operate, Way::Work, dashboard::run_action,
     form_size, true},
    {"GET", "/dashboard/runs/{run}/phases/{phase}", read, Way::Read,
     dashboard::phase_page, 0, true},
    {"POST", "/dashboard/runs/{run}/phases/{phase}/timeout", operate, Way::Work,
     dashboard::time_out_phase, form_size, true},
    {"POST", "/dashboard/breakers/{breaker}/reset", operate, Way::Work,
     dashboard::reset_breaker, form_size, true},
    {"GET", "/dashboard/approvals/{approval}", read, Way::Read, dashboard::approval_page,
     0, true},
    {"POST", "/dashboard/approvals/{approval}/approve", operate, Way::Work,
     dashboard::approve, form_size, true},
    {"POST", "/dashboard/approvals/{approval}/reject", operate, Way::Work,
     dashboard::reject, form_size, true},
    {"POST", "/dashboard/backups", AccessScope::Admin, Way::Work, dashboard::back_up,
     form_size, true},
    {"GET", "/login", {}, Way::Read, dashboard::login_page, 0, true},
    {"POST", "/login", {}, Way::Login, dashboard::log_in, form_size, true},
    {"POST", "/logout", {}, Way::Work, dashboard::log_out, form_size, true},
};

std::string alerts_section(HttpCall &call, const Health &health)
{
    std::string html;
    for (const Alert &alert : current_alerts(call.database(), health)) {
        html += "<li><strong>" + html_escape(alert.message) + "</strong> – " +
                html_escape(alert.advice) + "</li>\n";
    }
    return section("alerts", "Alerts",
                   html.empty() ? "<p class=\"fine\">None: everything is within its "
                                  "limits.</p>\n"
                                : "<ul class=\"alerts\">\n" + html + "</ul>\n");
}

std::string run_row(const RunSummary &run)
{
    return "<tr><td><a href=\"/dashboard/runs/" + encode_percent(run.run_id) + "\">" +
           html_escape(run.run_id) + "</a></td><td>" + status_badge(run.status) +
           (run.paused ? " " + status_badge("PAUSED") : "") + "</td><td>" +
           std::to_string(run.phases_complete) + "/" + std::to_string(run.phases) +
           (run.phases_failed > 0 ? ", " + std::to_string(run.phases_failed) + " failed"
                                  : "") +
           "</td><td>" + token_bar(run.tokens_used, run.tokens_reserved, run.token_cap) +
           "</td><td>" + time_element(run.created_at) + "</td><td class=\"goal\">" +
           html_escape(run.goal) + "</td></tr>\n";
}

// What executes comes first, however long ago it was recorded; then the newest.
std::vector<RunSummary> executing_first(Sqlite &database,
                                        const std::vector<RunSummary> &newest)
{
    RunFilter filter;
    filter.limit = runs_in_a_page;
    filter.status = "EXECUTING";
    std::vector<RunSummary> runs = list_runs(database, filter);
    for (const RunSummary &run : newest) {
        if (run.status != "EXECUTING") {
            runs.push_back(run);
        }
    }
    return runs;
}

std::optional<RunCursor> cursor_of(const HttpRequest &request)
{
    const auto text = request.field("after");
    const size_t dot = text ? text->find('.') : std::string::npos;
    if (dot == std::string::npos) {
        return std::nullopt;
    }
    const auto at = parse_integer(text->substr(0, dot), 0, INT64_MAX);
    return RunCursor{at.value_or(0), text->substr(dot + 1)};
}

std::string status_links()
{
    std::string html = "<p class=\"filters\"><a href=\"/dashboard\">All</a>";
    for (const std::string_view status : {"EXECUTING", "QUEUED", "DONE_FAILED"}) {
        html += " · <a href=\"/dashboard?status=" + std::string(status) + "\">" +
                std::string(status) + "</a>";
    }
    return html + "</p>\n";
}

std::string runs_section(HttpCall &call)
{
    RunFilter filter;
    filter.limit = runs_in_a_page;
    filter.status = call.request.field("status");
    filter.after = cursor_of(call.request);
    const std::vector<RunSummary> page_of = list_runs(call.database(), filter);
    const bool is_first = !filter.status && !filter.after;
    std::string html = status_links();
    html += table_open("runs",
                       {"Run", "Status", "Phases", "Tokens of cap", "Created", "Goal"});
    for (const RunSummary &run :
         is_first ? executing_first(call.database(), page_of) : page_of) {
        html += run_row(run);
    }
    html += table_close;
    if (page_of.empty()) {
        html += "<p>No runs. Record one with <code>ap-run create PLAN</code>.</p>\n";
    }
    if (static_cast<int64_t>(page_of.size()) == runs_in_a_page) {
        const RunSummary &last = page_of.back();
        html += "<p><a href=\"/dashboard?after=" +
                encode_percent(std::to_string(last.created_at) + "." + last.run_id) +
                (filter.status ? "&amp;status=" + encode_percent(*filter.status) : "") +
                "\">Older runs</a></p>\n";
    }
    return section("runs", "Runs", std::move(html));
}

std::string usage_section(HttpCall &call)
{
    const UnixMs now = call.clock.now();
    const UnixMs until = now - now % hour_ms + hour_ms;
    const UnixMs from = until - chart_hours * hour_ms;
    const std::vector<ModelUsage> list =
        usage_over_time(call.database(), from, until, hour_ms);
    return section("usage", "Tokens of the last two days",
                   usage_chart(list, from, until, hour_ms) + model_chart(list));
}

std::string breakers_section(HttpCall &call, const Health &health)
{
    if (health.breakers.empty()) {
        return section("breakers", "Circuit breakers", "<p>None was used yet.</p>\n");
    }
    std::string html = table_open(
        "breakers", {"Breaker", "State", "Failures", "Opened", "Retry", "Action"});
    for (const Breaker &breaker : health.breakers) {
        html +=
            "<tr><td>" + html_escape(breaker.name) + "</td><td>" +
            status_badge(breaker_state_name(breaker.state)) + "</td><td>" +
            std::to_string(breaker.failure_count) + "</td><td>" +
            time_element(breaker.opened_at) + "</td><td>" +
            time_element(breaker.retry_at) + "</td><td>" +
            button_form(call.request,
                        {"/dashboard/breakers/" + encode_percent(breaker.name) + "/reset",
                         "Reset", "Reset circuit breaker " + breaker.name + "?"}) +
            "</td></tr>\n";
    }
    return section("breakers", "Circuit breakers", html + std::string(table_close));
}

std::string executors_section(const Health &health)
{
    if (health.executors.empty()) {
        return section("executors", "Executors", "<p>None is running.</p>\n");
    }
    std::string html =
        table_open("executors", {"Run", "Process", "Jobs", "Since", "State"});
    for (const ExecutorHealth &executor : health.executors) {
        html += "<tr><td>" + html_escape(executor.run_id) + "</td><td>" +
                std::to_string(executor.pid) + "</td><td>" +
                std::to_string(executor.jobs) + "</td><td>" +
                time_element(executor.started_at) + "</td><td>" +
                status_badge(executor.is_alive ? "alive" : "dead") + "</td></tr>\n";
    }
    return section("executors", "Executors", html + std::string(table_close));
}

} // namespace

std::span<const ApiRoute> dashboard_routes()
{
    return routes;
}

HttpReply dashboard::start(HttpCall &)
{
    return redirect_reply("/dashboard");
}

HttpReply dashboard::asset(HttpCall &call)
{
    const Asset *asset = find_asset(call.request.parameter("name"));
    if (asset == nullptr) {
        return problem_reply(404, "no such file");
    }
    HttpReply reply{200, std::string(asset->type), std::string(asset->text)};
    // Short, as the file changes with the program; a page loads two of them.
    reply.add("Cache-Control", "max-age=60");
    return reply;
}

HttpReply dashboard::overview(HttpCall &call)
{
    const Health health = read_health(call.state, call.server, call.clock);
    std::string main = alerts_section(call, health);
    main += approvals_section(call);
    main += runs_section(call);
    main += usage_section(call);
    main += breakers_section(call, health);
    main += executors_section(health);
    main += backups_section(call);
    return page(call.request, {"Dashboard", std::move(main), "/api/events/stream"});
}

} // namespace ap
