const NODE_MAJOR_MIN = 24

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
  throw new Error(
    `Countersign needs Node.js ${NODE_MAJOR_MIN} or newer; this is ${process.versions.node}. Install it from nodejs.org, or with: npm install node@24`,
  )
}
