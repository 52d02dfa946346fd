/** The live panel of the running agents, as HTML. All text is escaped: much of it a model wrote. */

import { type AgentSession, isOpen, lastWords, type Mission, standing } from './mission';
import { bill, count, duration, money, plural, short, tokens } from './words';

export function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (sign) => `&#${String(sign.charCodeAt(0))};`);
}

/** What stands in the panel now. */
export function body(missions: Mission[]): string {
  const open = missions.filter((mission) => isOpen(mission) || mission.sessions.length > 0);
  const newest = missions[0];
  if (open.length > 0) {
    return open.map(section).join('');
  }
  const last =
    newest === undefined
      ? 'Start a mission with /task.'
      : `${short(newest.goal)}: ${standing(newest)}, ${bill(newest.account)}`;
  return `<p class="none">No agent is at work. ${escape(last)}</p>`;
}

function section(mission: Mission): string {
  const [done, all] = mission.progress;
  const time = duration(mission.now - mission.started_at);
  const agents = mission.sessions.map((session) => agent(mission, session)).join('');
  return `<section>
<h2>${escape(short(mission.goal))}</h2>
<p class="total">${escape(`${standing(mission)} · ${time} · ${bill(mission.account)}`)}</p>
<progress value="${String(done)}" max="${String(Math.max(all, 1))}"></progress>
${agents === '' ? '<p class="none">No agent is at work.</p>' : `<ul>${agents}</ul>`}
</section>`;
}

function agent(mission: Mission, session: AgentSession): string {
  const figures = [
    mission.engine,
    plural(session.turns, 'turn'),
    `${count(tokens(session.account))} tokens`,
    money(session.account?.micro_usd ?? 0),
  ];
  const said = lastWords(mission, session)?.text ?? '';
  return `<li class="${escape(session.role)}">
<strong>${escape([session.role, session.item].filter(Boolean).join(' '))}</strong>
<span class="state">${escape(session.activity)}</span>
<span class="figures">${escape(figures.filter((figure) => figure !== '').join(' · '))}</span>
<span class="said">${escape(short(said, 240))}</span>
</li>`;
}

/** The page, which takes what stands in it by message. Nothing is loaded, and no other script runs. */
export function page(nonce: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'">
<title>Agents</title>
<style nonce="${nonce}">
body { padding: 0 12px 12px; color: var(--vscode-foreground); font: var(--vscode-font-size) var(--vscode-font-family); }
h2 { margin: 10px 0 2px; font-size: 1em; }
p { margin: 2px 0; }
.total, .figures, .none { color: var(--vscode-descriptionForeground); }
progress { width: 100%; height: 4px; accent-color: var(--vscode-progressBar-background); }
ul { list-style: none; margin: 4px 0; padding: 0; }
li { border-left: 3px solid var(--vscode-charts-blue); padding: 2px 8px; margin: 6px 0; }
li.commander { border-color: var(--vscode-charts-purple); }
li.planner { border-color: var(--vscode-charts-yellow); }
li.reviewer { border-color: var(--vscode-charts-green); }
.state { padding: 0 6px; border-radius: 8px; background: var(--vscode-badge-background); color: var(--vscode-badge-foreground); }
.figures, .said { display: block; overflow-wrap: anywhere; }
</style>
</head>
<body>
<main aria-live="polite"></main>
<script nonce="${nonce}">
const main = document.querySelector('main');
window.addEventListener('message', ({ data }) => { main.innerHTML = data; });
acquireVsCodeApi().postMessage('ready');
</script>
</body>
</html>`;
}
