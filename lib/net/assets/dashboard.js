// Keeps a page as the server would show it now. Everything can be read without it.
"use strict";

const main = document.querySelector("main[data-events]");
const connection = document.getElementById("connection");
const keptLog = 200000; // characters

// The server's HTML of each part, as it was last put in.
const shown = new Map();
const remember = (part) => shown.set(part.id, part.outerHTML);
if (main) main.querySelectorAll("section[id]").forEach(remember);

// Takes over the parts of a new page that differ from what is shown. Logs follow by
// themselves, and an opened <details> stays open.
function takeOver(page) {
    for (const part of page.querySelectorAll("main > section[id]")) {
        if (shown.get(part.id) === part.outerHTML) continue;
        const old = document.getElementById(part.id);
        const html = part.outerHTML;
        if (!old) {
            location.reload();
            return;
        }
        if (old.querySelector("[data-follow]")) continue;
        const open = [...old.querySelectorAll("details[open]")].map((one) => one.id);
        const focused = old.contains(document.activeElement)
            ? [...old.querySelectorAll("a, button, summary, [tabindex]")].indexOf(document.activeElement)
            : -1;
        old.replaceWith(part);
        shown.set(part.id, html);
        open.forEach((id) => { document.getElementById(id).open = true; });
        if (focused >= 0) {
            const again = part.querySelectorAll("a, button, summary, [tabindex]")[focused];
            if (again) again.focus();
        }
    }
}

let loading = false;
let again = false;
async function refresh() {
    if (loading) {
        again = true;
        return;
    }
    loading = true;
    try {
        const answer = await fetch(location.href, { cache: "no-store" });
        if (answer.redirected) location.reload(); // logged out
        const text = await answer.text();
        if (answer.ok) takeOver(new DOMParser().parseFromString(text, "text/html"));
    } catch (error) {
        connection.textContent = "– the server does not answer";
    }
    // Many changes at once are one look, four times a second at most.
    setTimeout(() => {
        loading = false;
        if (again) {
            again = false;
            refresh();
        }
    }, 250);
}

function followEvents() {
    const events = new EventSource(main.dataset.events);
    const kinds = ["run.created", "run.status", "run.deleted", "phase.status", "attempt.status",
        "approval.requested", "approval.state", "breaker.state", "budget.set", "budget.warning", "budget.refused", "control.requested",
        "control.applied", "usage"];
    for (const kind of kinds) events.addEventListener(kind, refresh);
    events.onopen = () => {
        connection.textContent = "– live";
        refresh();
    };
    events.onerror = () => { connection.textContent = "– not connected, trying again"; };
}

// Appends to a log what is written to it from now on.
async function followLog(log) {
    log.scrollTop = log.scrollHeight;
    try {
        const answer = await fetch(log.dataset.follow);
        if (!answer.ok) return;
        const reader = answer.body.getReader();
        const decoder = new TextDecoder();
        for (;;) {
            const { done, value } = await reader.read();
            if (done) return;
            const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
            log.append(decoder.decode(value, { stream: true }));
            if (log.textContent.length > keptLog) {
                log.textContent = log.textContent.slice(-keptLog / 2);
            }
            if (atEnd) log.scrollTop = log.scrollHeight;
        }
    } catch (error) {
        return; // the page is left, or the server gone: what is shown stays
    }
}

// Asks before a form does something; without script the server asks.
document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.confirm) return;
    if (!window.confirm(form.dataset.confirm)) {
        event.preventDefault();
        return;
    }
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "confirmed";
    field.value = "1";
    form.append(field);
});

if (main) {
    followEvents();
    document.querySelectorAll("[data-follow]").forEach(followLog);
}
