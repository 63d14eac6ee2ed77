#include "net/api.hh"
#include "net/backups.hh"

namespace ap {

namespace {

Json backups_to_json(Backups &backups)
{
    Json list = Json::array();
    for (const BackupFile &file : backups.list()) {
        list.append(Json::object()
                        .set("name", file.name)
                        .set("bytes", file.bytes)
                        .set("written_at", format_rfc3339(file.written_at)));
    }
    return Json::object().set("state", backups.state()).set("backups", list);
}

} // namespace

HttpReply api::list_backups(HttpCall &call)
{
    return json_reply(backups_to_json(call.backups));
}

HttpReply api::start_backup(HttpCall &call)
{
    static_cast<void>(call.request.json_body({}));
    call.backups.start();
    return json_reply(Json::object().set("state", call.backups.state()), 202);
}

} // namespace ap
