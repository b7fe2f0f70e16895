// Sends the camera's newest picture whenever the server has room for one, and draws what comes back.
const root = element.querySelector('.live'), find = (selector) => root.querySelector(selector);
const canvas = find('canvas'), video = find('video'), badge = find('.badge'), says = find('.says');
const button = (act) => find(`[data-act=${act}]`);
const SIDE = 480, MOST_UNDER_WAY = 2, PATIENCE = 400;
let socket = null, camera = null, underWay = 0, lastSent = 0, busy = false, frozen = false, recording = false;
let arrivals = [], delays = [];
const small = document.createElement('canvas');

function say(text, failed = false) {
  if (says.textContent !== text) says.textContent = text;
  says.classList.toggle('failed', failed);
}
function ready() {
  const on = socket?.readyState === WebSocket.OPEN;
  button('start').disabled = !props.value.sitting;
  button('start').textContent = socket ? 'Stop camera' : 'Start camera';
  for (const act of ['calibrate', 'freeze', 'record']) button(act).disabled = !on;
}
function press(act, on) { button(act).setAttribute('aria-pressed', String(on)); }
function order(message) { if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message)); }

async function start() {
  if (!navigator.mediaDevices?.getUserMedia) {
    return say('This browser gives no camera to pages that are not on this machine or served by https.', true);
  }
  say('Waiting for the camera; allow this page to use it.');
  try {
    camera = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 }, facingMode: 'user' } });
  } catch (error) {
    const denied = error.name === 'NotAllowedError';
    return say(denied ? 'The camera was not allowed. Allow it next to the address of this page, then start again.'
      : 'No camera was found. Connect one, or close the program that uses it, then start again.', true);
  }
  video.srcObject = camera;
  await video.play();
  find('.inset').hidden = false;
  connect();
}
function connect() {
  const { sitting, engine, strength, smooth } = props.value;
  const words = new URLSearchParams({ sitting, engine, strength, smooth });
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  socket = new WebSocket(`${scheme}//${location.host}/live?${words}`);
  socket.binaryType = 'arraybuffer';
  underWay = 0; arrivals = []; delays = [];
  say('Getting ready.');
  socket.onopen = () => { ready(); next(); };
  socket.onmessage = (event) => typeof event.data === 'string' ? told(JSON.parse(event.data)) : drawn(event.data);
  socket.onclose = (event) => stop(event.reason || (event.code === 1000 ? '' : 'The connection was lost. Start the camera again.'));
  ready();
}
function stop(reason = '') {
  const closing = socket;
  socket = null;
  if (closing) { closing.onclose = null; closing.close(); }
  camera?.getTracks().forEach((track) => track.stop());
  camera = null; frozen = recording = false;
  press('freeze', false); press('record', false);
  button('record').textContent = 'Record';
  find('.inset').hidden = badge.hidden = true;
  say(reason, Boolean(reason));
  ready();
}
function next() {
  if (!socket) return;
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(look);
  else setTimeout(look, 33);
}
function look() {
  const now = performance.now();
  const room = underWay < MOST_UNDER_WAY || now - lastSent > PATIENCE;
  if (socket?.readyState === WebSocket.OPEN && room && !busy && !frozen && video.videoWidth) send(now);
  next();
}
function send(now) {
  const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
  small.width = Math.round(video.videoWidth * scale);
  small.height = Math.round(video.videoHeight * scale);
  const pen = small.getContext('2d', { alpha: false });
  if (find('.mirror').checked) { pen.translate(small.width, 0); pen.scale(-1, 1); }
  pen.drawImage(video, 0, 0, small.width, small.height);
  busy = true;
  small.toBlob(async (blob) => {
    busy = false;
    if (!blob || socket?.readyState !== WebSocket.OPEN) return;
    underWay = now - lastSent > PATIENCE ? 1 : underWay + 1;
    lastSent = now;
    socket.send(new Blob([new Float64Array([now]), blob]));
  }, 'image/jpeg', 0.8);
}
async function drawn(data) {
  underWay = Math.max(0, underWay - 1);
  const taken = new Float64Array(data, 0, 1)[0];
  const picture = await createImageBitmap(new Blob([new Uint8Array(data, 8)], { type: 'image/jpeg' }));
  if (!socket) return;
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width; canvas.height = picture.height;
  }
  canvas.getContext('2d', { alpha: false }).drawImage(picture, 0, 0);
  canvas.hidden = false; find('.empty').hidden = true;
  count(taken);
}
function count(taken) {
  const now = performance.now();
  arrivals.push(now); delays.push(now - taken);
  if (arrivals.length > 60) { arrivals.shift(); delays.shift(); }
  const fps = 1000 * (arrivals.length - 1) / Math.max(1, now - arrivals[0]);
  const delay = [...delays].sort((a, b) => a - b)[delays.length >> 1];
  badge.hidden = false;
  badge.textContent = `${recording ? '● ' : ''}${fps.toFixed(0)} fps · ${delay.toFixed(0)} ms`;
  root.dataset.frames = String(Number(root.dataset.frames || 0) + 1);
  root.dataset.fps = fps.toFixed(2); root.dataset.delay = delay.toFixed(1);
}
function told(message) {
  if ('seen' in message) {
    underWay = 0;
    say(message.seen ? 'Following you. Calibrate with a calm face, whenever you like.'
      : 'No face in sight. Come into the picture, with some light on your face.', !message.seen);
  }
  if ('failed' in message) say(message.failed, true);
  if ('recording' in message) {
    const link = document.createElement('a');
    link.href = message.recording; link.download = 'portrayal-live.mp4'; link.textContent = 'Download the recording';
    find('.downloads').replaceChildren(link);
    say('The recording is ready, tagged as synthetic media.');
  }
}
root.addEventListener('click', (event) => {
  const act = event.target.closest('[data-act]')?.dataset.act;
  if (act === 'start') socket ? stop() : start();
  if (act === 'calibrate') { order({ calibrate: true }); say('Calibrated: this is your calm face.'); }
  if (act === 'freeze') { frozen = !frozen; press('freeze', frozen); order({ frozen }); }
  if (act === 'record') {
    recording = !recording; press('record', recording); order({ record: recording });
    button('record').textContent = recording ? 'Stop recording' : 'Record';
    if (recording) find('.downloads').replaceChildren();
  }
});
find('.mirror').addEventListener('change', (event) => root.classList.toggle('mirrored', event.target.checked));
root.classList.add('mirrored');
let before = { ...props.value };
watch('value', () => {
  const now = props.value;
  if (socket && (now.sitting !== before.sitting || now.engine !== before.engine)) {
    socket.onclose = null; socket.close();
    now.sitting ? connect() : stop('Choose a portrait.');
  } else if (now.strength !== before.strength || now.smooth !== before.smooth) {
    order({ options: { strength: now.strength, smooth: now.smooth } });
  }
  before = { ...now };
  if (!socket && now.sitting) say('The portrait is ready. Start the camera.');
  ready();
});
ready();
