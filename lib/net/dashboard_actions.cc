#include "domain/breaker.hh"
#include "domain/control_request.hh"
#include "domain/run.hh"
#include "domain/users.hh"
#include "net/authentication.hh"
#include "net/dashboard.hh"
#include "net/html.hh"
#include "net/request_target.hh"

namespace ap {

namespace {

using Form = std::map<std::string, std::string>;

Form form_of(const HttpRequest &request)
{
    auto form = parse_form(request.body);
    if (!form) {
        throw UsageError("the form is malformed");
    }
    return *form;
}

void ask(HttpCall &call, const std::string &run_id, ControlVerb verb,
         const std::string &phase_id)
{
    ControlRequest request;
    request.run_id = run_id;
    request.verb = verb;
    request.phase_id = phase_id;
    request.source = "dashboard";
    request_control(call.state, request, call.clock);
}

std::string run_url(const std::string &run_id)
{
    return "/dashboard/runs/" + encode_percent(run_id);
}

std::string login_form(std::string_view next, std::string_view message)
{
    return (message.empty() ? std::string()
                            : "<p class=\"error\" role=\"alert\">" +
                                  html_escape(message) + "</p>\n") +
           "<form class=\"login\" method=\"post\" action=\"/login\">\n"
           "<input type=\"hidden\" name=\"next\" value=\"" +
           html_escape(next) +
           "\">\n<p><label for=\"name\">Name</label> <input id=\"name\" name=\"name\" "
           "autocomplete=\"username\" required autofocus></p>\n"
           "<p><label for=\"password\">Password</label> <input id=\"password\" "
           "name=\"password\" type=\"password\" autocomplete=\"current-password\" "
           "required></p>\n<p><button>Log in</button></p>\n</form>\n";
}

// Where to go after the login: a page of ours, whatever the form says.
std::string own_page(const std::string &next)
{
    return next.starts_with("/dashboard") && split_path(next.substr(0, next.find('?')))
               ? next
               : "/dashboard";
}

} // namespace

// Without script the browser cannot ask before it sends, so a page does.
std::optional<HttpReply> dashboard::confirmation(const HttpRequest &request,
                                                 const std::string &what,
                                                 const std::string &back)
{
    if (form_of(request)["confirmed"] == "1") {
        return std::nullopt;
    }
    return page(request,
                {"Please confirm",
                 "<p>" + html_escape(what) + "</p>\n<form method=\"post\" action=\"" +
                     html_escape(request.path) +
                     "\"><input type=\"hidden\" name=\"csrf\" value=\"" +
                     html_escape(request.principal.csrf) +
                     "\"><input type=\"hidden\" name=\"confirmed\" value=\"1\">"
                     "<button class=\"danger\">Yes</button> <a href=\"" +
                     html_escape(back) + "\">No, go back</a></form>\n"});
}

HttpReply dashboard::run_action(HttpCall &call)
{
    const std::string &run_id = call.request.parameter("run");
    const std::string &word = call.request.parameter("verb");
    const auto verb = control_verb_of(word);
    if ((!verb && word != "retry") || verb == ControlVerb::Timeout) {
        return error_page(call.request, 404, "There is no such action.");
    }
    static_cast<void>(show_run(call.database(), run_id));
    if (auto asks = confirmation(call.request, "Really " + word + " run " + run_id + "?",
                                 run_url(run_id))) {
        return *asks;
    }
    if (verb) {
        ask(call, run_id, *verb, "");
    } else {
        retry_run(call.database(), run_id, std::nullopt);
    }
    return redirect_reply(run_url(run_id));
}

HttpReply dashboard::time_out_phase(HttpCall &call)
{
    const std::string &run_id = call.request.parameter("run");
    const std::string &phase_id = call.request.parameter("phase");
    if (auto asks = confirmation(call.request,
                                 "Really treat phase " + phase_id + " of run " + run_id +
                                     " as if its time were up?",
                                 run_url(run_id))) {
        return *asks;
    }
    ask(call, run_id, ControlVerb::Timeout, phase_id);
    return redirect_reply(run_url(run_id));
}

HttpReply dashboard::reset_breaker(HttpCall &call)
{
    const std::string &name = call.request.parameter("breaker");
    if (auto asks = confirmation(
            call.request, "Really reset circuit breaker " + name + "?", "/dashboard")) {
        return *asks;
    }
    Breakers(call.database(), call.clock).reset(name);
    return redirect_reply("/dashboard");
}

HttpReply dashboard::login_page(HttpCall &call)
{
    const std::string next = call.request.field("next").value_or("/dashboard");
    return page(call.request, {"Log in", login_form(next, "")});
}

HttpReply dashboard::log_in(HttpCall &call)
{
    Form form = form_of(call.request);
    const auto user = check_password(call.database(), form["name"], form["password"]);
    if (!user) {
        return page(
            call.request,
            {"Log in", login_form(form["next"], "The name or the password is wrong.")},
            401);
    }
    const std::string secret = open_session(call.database(), user->user_id, call.clock);
    HttpReply reply = redirect_reply(own_page(form["next"]));
    reply.add("Set-Cookie", session_cookie(secret, call.request.over_tls));
    return reply;
}

HttpReply dashboard::log_out(HttpCall &call)
{
    close_session(call.database(), call.request.session);
    HttpReply reply = redirect_reply("/login");
    reply.add("Set-Cookie", session_cookie("", call.request.over_tls));
    return reply;
}

} // namespace ap
