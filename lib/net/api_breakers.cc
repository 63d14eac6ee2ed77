#include "domain/breaker.hh"
#include "net/api.hh"

namespace ap {

namespace {

Breakers breakers_of(HttpCall &call)
{
    return {call.database(), call.clock};
}

HttpReply show(HttpCall &call)
{
    return json_reply(
        breaker_to_json(breakers_of(call).show(call.request.parameter("breaker"))));
}

} // namespace

HttpReply api::list_breakers(HttpCall &call)
{
    Json list = Json::array();
    for (const Breaker &breaker : breakers_of(call).list()) {
        list.append(breaker_to_json(breaker));
    }
    return json_reply(Json::object().set("breakers", list));
}

HttpReply api::show_breaker(HttpCall &call)
{
    return show(call);
}

HttpReply api::reset_breaker(HttpCall &call)
{
    breakers_of(call).reset(call.request.parameter("breaker"));
    return show(call);
}

HttpReply api::open_breaker(HttpCall &call)
{
    const Json body = call.request.json_body({"reason"});
    breakers_of(call).force_open(
        call.request.parameter("breaker"),
        body.get_string("reason").value_or("opened through the API"));
    return show(call);
}

HttpReply api::close_breaker(HttpCall &call)
{
    breakers_of(call).close(call.request.parameter("breaker"));
    return show(call);
}

} // namespace ap
