#include "base/text.hh"
#include "domain/approval.hh"
#include "net/backups.hh"
#include "net/dashboard.hh"
#include "net/html.hh"
#include "net/request_target.hh"
#include "sys/progress.hh"

namespace ap {

namespace {

constexpr int64_t questions_shown = 25;
constexpr size_t backups_shown = 10;

std::string url_of(const Approval &approval)
{
    return "/dashboard/approvals/" + std::to_string(approval.approval_id);
}

std::string run_link(const Approval &approval)
{
    return "<a href=\"/dashboard/runs/" + encode_percent(approval.run_id) + "\">" +
           html_escape(approval.run_id) + "</a>" +
           (approval.phase_id.empty() ? "" : " " + html_escape(approval.phase_id));
}

std::string answer_buttons(const HttpRequest &request, const Approval &approval)
{
    const std::string what = " approval " + std::to_string(approval.approval_id) + ": " +
                             visible_lines(approval.summary) + "?";
    return button_form(request,
                       {url_of(approval) + "/approve", "Approve", "Approve" + what}) +
           button_form(request, {url_of(approval) + "/reject", "Reject", "Reject" + what,
                                 AccessScope::Operate, true});
}

std::string approval_row(const HttpRequest &request, const Approval &approval)
{
    return "<tr><td><a href=\"" + url_of(approval) + "\">" +
           html_escape(visible_lines(approval.summary)) + "</a></td><td>" +
           run_link(approval) + "</td><td>" + html_escape(approval.kind) + "</td><td>" +
           html_escape(approval.risk.empty() ? "–" : approval.risk) + "</td><td>" +
           time_element(approval.expires_at) + "</td><td>" +
           answer_buttons(request, approval) + "</td></tr>\n";
}

Approval approval_of(HttpCall &call)
{
    const auto id = parse_integer(call.request.parameter("approval"), 1, INT64_MAX);
    return show_approval(call.database(), id.value_or(0), call.clock);
}

std::string decision_text(const Approval &approval)
{
    if (approval.pending()) {
        return "<p>Without an answer by " + time_element(approval.expires_at) +
               " it is " + (approval.granted_on_expiry ? "approved" : "rejected") +
               ".</p>\n";
    }
    return "<p>" + time_element(approval.decided_at) +
           (approval.decided_by
                ? " by " + html_escape(visible_lines(*approval.decided_by))
                : "") +
           (approval.comment ? ": " + html_escape(visible_lines(*approval.comment))
                             : "") +
           "</p>\n";
}

HttpReply decide(HttpCall &call, bool approved)
{
    const Approval approval = approval_of(call);
    const std::string question = std::string(approved ? "Approve: " : "Reject: ") +
                                 visible_lines(approval.summary) + "?";
    if (auto asks = dashboard::confirmation(call.request, question, url_of(approval))) {
        return *asks;
    }
    decide_approval(call.state, approval.approval_id,
                    {approved, call.request.principal.name}, call.clock);
    return redirect_reply("/dashboard");
}

} // namespace

std::string dashboard::approvals_section(HttpCall &call)
{
    ApprovalFilter filter;
    filter.limit = questions_shown;
    const std::vector<Approval> list =
        list_approvals(call.database(), filter, call.clock);
    if (list.empty()) {
        return section("approvals", "Approvals",
                       "<p class=\"fine\">Nobody waits for an answer.</p>\n");
    }
    std::string html = table_open(
        "approvals", {"Question", "Asked by", "Kind", "Risk", "Expires", "Action"});
    for (const Approval &approval : list) {
        html += approval_row(call.request, approval);
    }
    const int64_t count = count_pending_approvals(call.database(), call.clock);
    html += table_close;
    return section("approvals", "Approvals",
                   html + (count > questions_shown
                               ? "<p>" + std::to_string(count - questions_shown) +
                                     " more wait.</p>\n"
                               : ""));
}

std::string dashboard::backups_section(HttpCall &call)
{
    const std::string state = call.backups.state();
    std::string html =
        "<p>" + status_badge(state) + "</p>\n<div class=\"actions\">" +
        button_form(call.request, {"/dashboard/backups", "Back up now",
                                   "Make a backup of everything?", AccessScope::Admin}) +
        "</div>\n";
    std::vector<BackupFile> files;
    try {
        files = call.backups.list();
    } catch (const Error &error) {
        // The rest of the overview is worth having.
        return section("backups", "Backups",
                       html + "<p>" + html_escape(error.what()) + "</p>\n");
    }
    if (files.empty()) {
        return section("backups", "Backups", html + "<p>There is none yet.</p>\n");
    }
    const bool may_fetch = call.request.principal.may(AccessScope::Admin);
    html += table_open("backups", {"Backup", "Size", "Written"});
    for (size_t i = 0; i < std::min(files.size(), backups_shown); i++) {
        const BackupFile &file = files[i];
        const std::string name = html_escape(file.name);
        html += "<tr><td>" +
                (may_fetch ? "<a href=\"/api/backups/" + encode_percent(file.name) +
                                 "\">" + name + "</a>"
                           : name) +
                "</td><td>" + format_bytes(file.bytes) + "</td><td>" +
                time_element(file.written_at) + "</td></tr>\n";
    }
    html += table_close;
    return section("backups", "Backups",
                   html + (files.size() > backups_shown
                               ? "<p>" + std::to_string(files.size() - backups_shown) +
                                     " older ones.</p>\n"
                               : ""));
}

HttpReply dashboard::approval_page(HttpCall &call)
{
    const Approval approval = approval_of(call);
    std::string main =
        "<section id=\"approval\">\n<p>" +
        status_badge(approval_state_name(approval.state)) + " " +
        html_escape(approval.kind) + (approval.risk.empty() ? "" : ", risk ") +
        html_escape(approval.risk) + ", asked by " + run_link(approval) + " at " +
        time_element(approval.requested_at) + "</p>\n<p>" +
        html_escape(visible_lines(approval.summary)) + "</p>\n" + decision_text(approval);
    if (approval.pending()) {
        main += "<div class=\"actions\">" + answer_buttons(call.request, approval) +
                "</div>\n";
    }
    main += "</section>\n";
    if (!approval.detail.empty()) {
        main += section("detail", "Detail",
                        "<pre tabindex=\"0\" role=\"region\" "
                        "aria-label=\"Text of the detail\">" +
                            html_escape(visible_lines(approval.detail)) + "</pre>\n");
    }
    return page(call.request,
                {"Approval " + std::to_string(approval.approval_id), std::move(main),
                 "/api/events/stream?run=" + encode_percent(approval.run_id)});
}

HttpReply dashboard::approve(HttpCall &call)
{
    return decide(call, true);
}

HttpReply dashboard::reject(HttpCall &call)
{
    return decide(call, false);
}

HttpReply dashboard::back_up(HttpCall &call)
{
    if (auto asks =
            confirmation(call.request, "Make a backup of everything?", "/dashboard")) {
        return *asks;
    }
    call.backups.start();
    return redirect_reply("/dashboard");
}

} // namespace ap
